import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { runtimeName } from '#gateway/runtime/runtime-name.ts';
import { projectCommand } from '#test/support/gateway-command.ts';
import { freePorts, type RunningProgram, startProgram } from '#test/support/running-program.ts';

/** A rate-limit service as a process: this project's or the reference. */
export interface RunningService {
  readonly program: RunningProgram;
  readonly http: number;
  readonly grpc: number;
  readonly debug: number;
}

/** A configuration directory, `<root>/rl/config/`, that is removed with `remove`. */
export interface LimitFolder {
  readonly root: string;
  /** The folder that files lie in. */
  readonly config: string;
  write(name: string, text: string | Uint8Array): void;
  remove(): void;
}

/** Makes a configuration directory with these files. */
export function limitFolder(files: Readonly<Record<string, string>> = {}): LimitFolder {
  const root = mkdtempSync(join(tmpdir(), 'sluice-rl-'));
  const config = join(root, 'rl', 'config');
  mkdirSync(config, { recursive: true });
  const write = (name: string, text: string | Uint8Array): void => {
    mkdirSync(dirname(join(config, name)), { recursive: true });
    writeFileSync(join(config, name), text);
  };
  for (const [name, text] of Object.entries(files)) write(name, text);
  return { root, config, write, remove: () => rmSync(root, { recursive: true, force: true }) };
}

/** The command line of this project's service, on the runtime of the test. */
export function ownService(): string[] {
  return projectCommand(runtimeName, 'ratelimit-service/main.ts');
}

/** Starts a service on free ports and waits until it is healthy. `redis` is the port of its Redis. */
export async function startService(
  command: readonly string[],
  root: string,
  redis: number,
  env: Readonly<Record<string, string>> = {},
): Promise<RunningService> {
  const [http = 0, grpc = 0, debug = 0] = await freePorts(3);
  const program = startProgram(command, {
    RUNTIME_ROOT: root,
    RUNTIME_SUBDIRECTORY: 'rl',
    RUNTIME_WATCH_ROOT: 'true',
    REDIS_SOCKET_TYPE: 'tcp',
    REDIS_URL: `127.0.0.1:${redis}`,
    USE_STATSD: 'false',
    LOG_LEVEL: 'ERROR',
    // Tests share the machine: here it is not the deadline that is tested.
    REDIS_CALL_TIMEOUT: '10s',
    HOST: '127.0.0.1',
    PORT: String(http),
    GRPC_HOST: '127.0.0.1',
    GRPC_PORT: String(grpc),
    DEBUG_HOST: '127.0.0.1',
    DEBUG_PORT: String(debug),
    ...env,
  });
  const healthy = async (): Promise<boolean> => {
    try {
      return (await fetch(`http://127.0.0.1:${http}/healthcheck`, { signal: AbortSignal.timeout(2000) })).ok;
    } catch {
      return false;
    }
  };
  try {
    await program.until(healthy, 40_000);
  } catch (error) {
    await program.stop('SIGKILL');
    throw error;
  }
  return { program, http, grpc, debug };
}
