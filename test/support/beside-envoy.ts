import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type GatewayProcess, type StartOptions, startGateway } from './gateway-process.ts';

/** What the same thing came to on both. */
export interface Beside<T> {
  readonly theirs: T;
  readonly ours: T;
}

/** Runs Envoy and the gateway on one configuration and drives each in turn. Both are stopped whatever happens. */
export async function besideEnvoy<T>(
  envoy: string,
  staticResources: string,
  options: StartOptions,
  drive: (gateway: GatewayProcess) => Promise<T>,
): Promise<Beside<T>> {
  const one = async (more: StartOptions): Promise<T> => {
    const gateway = await startGateway(staticResources, { ...options, ...more });
    try {
      return await drive(gateway);
    } finally {
      await gateway.stop();
    }
  };
  const theirs = await one({ envoy });
  return { theirs, ours: await one({}) };
}

/** The lines of a log in the gateway's folder, once there are `count`; fewer after twenty seconds. */
export async function logLines(gateway: GatewayProcess, name: string, count: number): Promise<string[]> {
  let lines: string[] = [];
  for (let i = 0; i < 4000; i++) {
    const text = readLog(join(gateway.dir, name)).trimEnd();
    lines = text === '' ? [] : text.split('\n');
    if (lines.length >= count) break;
    await delay(5);
  }
  return lines;
}

function readLog(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // not opened yet
  }
}
