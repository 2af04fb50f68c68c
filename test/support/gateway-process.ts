import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { gatewayCommand } from './gateway-command.ts';

/** The runtime that runs this test: the gateway under test runs on the same one. */
export const ownRuntime: 'bun' | 'deno' | 'node' =
  process.versions['bun'] !== undefined ? 'bun' : process.versions['deno'] !== undefined ? 'deno' : 'node';

/** An answer of the admin interface. */
export interface AdminAnswer {
  readonly status: number;
  readonly text: string;
}

/** A gateway (or Envoy) process with its own folder and an admin port that the system chose. */
export class GatewayProcess {
  readonly child: ChildProcess;
  readonly dir: string;
  readonly adminPort: number;
  /** Port of each listener by name. */
  readonly ports: ReadonlyMap<string, number>;
  readonly #exited: Promise<number | null>;
  readonly #output: () => string;

  constructor(started: {
    child: ChildProcess;
    dir: string;
    adminPort: number;
    ports: ReadonlyMap<string, number>;
    exited: Promise<number | null>;
    output: () => string;
  }) {
    this.child = started.child;
    this.dir = started.dir;
    this.adminPort = started.adminPort;
    this.ports = started.ports;
    this.#exited = started.exited;
    this.#output = started.output;
  }

  /** The port of a listener; throws when there is none of that name. */
  port(listener: string): number {
    const port = this.ports.get(listener);
    if (port === undefined) throw new Error(`no listener ${listener}; there are ${[...this.ports.keys()].join(', ')}`);
    return port;
  }

  /** Everything the process printed so far. */
  get output(): string {
    return this.#output();
  }

  /** Asks the admin interface. */
  admin(path: string, method = 'GET'): Promise<AdminAnswer> {
    return adminRequest(this.adminPort, path, method);
  }

  /** Sends a signal. (Deno's `child.kill` takes any signal for the child's end and forgets its exit code.) */
  signal(name: NodeJS.Signals): void {
    process.kill(this.child.pid!, name);
  }

  /** Sends SIGTERM and resolves with the exit code. */
  async terminate(): Promise<number | null> {
    this.signal('SIGTERM');
    return await this.#exited;
  }

  /** Ends the process at once and removes its folder. */
  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL');
    await this.#exited;
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Files of the configuration's folder, by name. `{dir}` in the configuration stands for the folder. */
export interface StartOptions {
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Further fields of `admin`, in flow style. */
  readonly adminFields?: string;
  /** Path of an Envoy to start instead of the gateway, for comparisons. */
  readonly envoy?: string;
}

/**
 * Starts the gateway with a bootstrap given as `static_resources` (YAML text without admin: that is added, on a free port).
 * Resolves when `/ready` says LIVE; throws with the output when the process ends before.
 */
export async function startGateway(staticResources: string, options: StartOptions = {}): Promise<GatewayProcess> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-gateway-'));
  for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(dir, name), text, { mode: 0o600 });
  const adminFields = options.adminFields === undefined ? '' : `, ${options.adminFields}`;
  const admin = `admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } }${adminFields} }\n`;
  const config = join(dir, 'bootstrap.yaml');
  writeFileSync(config, admin + staticResources.replaceAll('{dir}', dir));
  const addressFile = join(dir, 'admin-address');
  const command =
    options.envoy === undefined ? [...gatewayCommand(ownRuntime), 'run'] : [options.envoy, '--disable-hot-restart'];
  const flags = [
    '-c',
    config,
    '--concurrency',
    '1',
    '-l',
    'error',
    '--admin-address-path',
    addressFile,
    ...(options.args ?? []),
  ];
  const [program, ...args] = [...command, ...flags];
  const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...options.env } });
  let output = '';
  const gather = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout.on('data', gather);
  child.stderr.on('data', gather);
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const started = { child, dir, exited, output: () => output };
  try {
    const adminPort = await untilReady(child, addressFile, started.output);
    const ports = await listenerPorts(adminPort);
    return new GatewayProcess({ ...started, adminPort, ports });
  } catch (error) {
    child.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
    throw error;
  }
}

async function untilReady(child: ChildProcess, addressFile: string, output: () => string): Promise<number> {
  for (let i = 0; i < 4000; i++) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`the gateway ended at start:\n${output()}`);
    const port = readPort(addressFile);
    if (port !== null) {
      const answer = await adminRequest(port, '/ready', 'GET').catch(() => null);
      if (answer?.status === 200) return port;
    }
    await delay(10);
  }
  throw new Error(`the gateway is not ready after forty seconds:\n${output()}`);
}

function readPort(file: string): number | null {
  try {
    const port = Number(/:(\d+)\s*$/.exec(readFileSync(file, 'utf8'))?.[1]);
    return Number.isNaN(port) ? null : port;
  } catch {
    return null; // not written yet
  }
}

async function listenerPorts(adminPort: number): Promise<Map<string, number>> {
  const { text } = await adminRequest(adminPort, '/listeners?format=json', 'GET');
  const statuses = (JSON.parse(text) as { listener_statuses?: ListenerStatus[] }).listener_statuses ?? [];
  return new Map(statuses.map((status) => [status.name, status.local_address?.socket_address?.port_value ?? 0]));
}

interface ListenerStatus {
  readonly name: string;
  readonly local_address?: { readonly socket_address?: { readonly port_value?: number } };
}

function adminRequest(port: number, path: string, method: string): Promise<AdminAnswer> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, path, method, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end();
  });
}
