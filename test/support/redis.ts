import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts, portIsOpen, type RunningProgram, startProgram } from './running-program.ts';

/** A Redis of one's own, without persistence. */
export interface TestRedis {
  readonly port: number;
  readonly program: RunningProgram;
}

/**
 * Starts `redis-server` on a free port of the loopback interface (or on this one) and waits until it listens. `options` go on
 * its command line.
 */
export async function startRedis(binary: string, port = 0, options: readonly string[] = []): Promise<TestRedis> {
  const [free = 0] = port === 0 ? await freePorts(1) : [port];
  // A replica writes what its master sends it into its folder.
  const folder = mkdtempSync(join(tmpdir(), 'sluice-redis-'));
  const program = startProgram([
    binary,
    '--dir',
    folder,
    '--port',
    String(free),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    ...options,
  ]);
  program.child.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  await program.until(async () => await portIsOpen(free));
  return { port: free, program };
}
