import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { acmeCommand } from '#certs/acme/acme-command.ts';

/** What a command of `sluice certs acme` answered. */
export interface AcmeRun {
  readonly code: number;
  readonly text: string;
  readonly log: string;
}

/** Runs a command in this process. */
export async function runAcme(...args: readonly string[]): Promise<AcmeRun> {
  const run = startAcme(...args);
  return await run.done;
}

/** A command that goes on: `serve`. */
export interface RunningAcme {
  readonly done: Promise<AcmeRun>;
  text(): string;
  log(): string;
  stop(): Promise<AcmeRun>;
}

/** Starts a command in this process. */
export function startAcme(...args: readonly string[]): RunningAcme {
  let text = '';
  let log = '';
  let stop = (): void => {};
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const output = {
    write: (more: string): void => {
      text += more;
    },
    error: (more: string): void => {
      log += more;
    },
  };
  const done = acmeCommand(args, output, { stopped: () => stopped }).then((code) => ({ code, text, log }));
  return {
    done,
    text: () => text,
    log: () => log,
    stop: async () => {
      stop();
      return await done;
    },
  };
}

/** A folder for one test, removed after it. */
export async function withFolder<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-acme-'));
  try {
    return await work(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
