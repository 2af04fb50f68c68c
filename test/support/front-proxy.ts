import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runtimeName } from '#gateway/runtime/runtime-name.ts';
import { projectCommand } from './gateway-command.ts';
import { freePortRun, freePorts, type RunningProgram, startProgram } from './running-program.ts';

/** So many that follow SLUICE_INTERNAL_PORTS, itself included. */
const internalPorts = 30;

/** One answer, without what differs from one run to the next. */
export interface DemoAnswer {
  readonly status: number;
  /** `name: value`, sorted. */
  readonly headers: readonly string[];
  readonly body: string;
}

/** The demo deployment on free ports. */
export class FrontProxy {
  readonly http: number;
  readonly httpAlt: number;
  readonly https: number;
  readonly admin: number;
  readonly internal: number;
  readonly data: string = mkdtempSync(join(tmpdir(), 'sluice-demo-'));
  readonly program: RunningProgram;

  private constructor(ports: readonly number[], internal: number, env: Readonly<Record<string, string>>) {
    [this.http = 0, this.httpAlt = 0, this.https = 0, this.admin = 0] = ports;
    this.internal = internal;
    this.program = startProgram(projectCommand(runtimeName, 'deploy/front-proxy/main.ts'), {
      SLUICE_HTTP_PORT: String(this.http),
      SLUICE_HTTP_ALT_PORT: String(this.httpAlt),
      SLUICE_HTTPS_PORT: String(this.https),
      SLUICE_ADMIN_PORT: String(this.admin),
      SLUICE_INTERNAL_PORTS: String(this.internal),
      SLUICE_DEMO_DATA: this.data,
      ...env,
    });
  }

  /** Starts it and waits until it says that it runs. `env` is added to its environment. */
  static async start(env: Readonly<Record<string, string>>): Promise<FrontProxy> {
    const demo = new FrontProxy(await freePorts(4), await freePortRun(internalPorts), env);
    try {
      await demo.program.until(() => demo.program.output().includes('is running'), 50_000);
    } catch (error) {
      await demo.stop();
      throw error;
    }
    return demo;
  }

  /** The certificate authority that clients are to trust. */
  get authority(): string {
    return readFileSync(join(this.data, 'certs', 'ca.crt'), 'utf8');
  }

  /** One request over plain HTTP. */
  async get(port: number, path: string, headers: Readonly<Record<string, string>> = {}): Promise<DemoAnswer> {
    const response = await fetch(`http://localhost:${port}${path}`, { headers, redirect: 'manual' });
    return this.#answer(response.status, [...response.headers], await response.text());
  }

  /** One request over HTTPS, checked against the authority. */
  async getSecure(path: string): Promise<DemoAnswer> {
    const { https: port, authority: ca } = this;
    return await new Promise((resolve, reject) => {
      const request = https.get({ host: 'localhost', port, path, ca, agent: false }, (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (text: string) => {
          body += text;
        });
        response.on('end', () => {
          const headers = Object.entries(response.headers).map(([name, value]): [string, string] => [
            name,
            String(value),
          ]);
          resolve(this.#answer(response.statusCode!, headers, body));
        });
      });
      request.on('error', reject);
    });
  }

  /** Ends everything; answers the exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const code = await this.program.stop(signal);
    rmSync(this.data, { recursive: true, force: true });
    return code;
  }

  #answer(status: number, headers: readonly (readonly [string, string])[], body: string): DemoAnswer {
    const varying = new Set(['date', 'x-envoy-upstream-service-time', 'x-ratelimit-reset', 'connection', 'keep-alive']);
    const shown = headers
      .filter(([name]) => !varying.has(name))
      .map(([name, value]) => `${name}: ${this.#steady(value)}`)
      .sort();
    return { status, headers: shown, body: this.#steady(body) };
  }

  /** Port numbers by name, so that two runs can be compared. */
  #steady(text: string): string {
    return text
      .replaceAll(`:${this.https}`, ':HTTPS')
      .replaceAll(`:${this.httpAlt}`, ':HTTP_ALT')
      .replaceAll(`:${this.http}`, ':HTTP');
  }
}
