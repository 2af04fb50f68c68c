import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import process from 'node:process';
import { processTree } from './process-cost.ts';

/** How a program is started. */
export interface PinnedProcessOptions {
  readonly core: number;
  /** Program first, then its arguments. */
  readonly command: readonly string[];
  readonly directory: string;
  /** The file that gets what it prints. */
  readonly log: string;
  /** Instead of this process's own environment. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** A program under test, on one core. */
export class PinnedProcess {
  readonly #child: ChildProcess;
  readonly #log: string;

  constructor({ core, command, directory, log, environment }: PinnedProcessOptions) {
    this.#log = log;
    const file = openSync(log, 'w');
    const env =
      environment === undefined
        ? process.env
        : { PATH: process.env['PATH'], HOME: process.env['HOME'], ...environment };
    this.#child = spawn('taskset', ['-c', String(core), ...command], {
      cwd: directory,
      env,
      stdio: ['ignore', file, file],
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Whether it is gone. */
  get ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** The end of what it printed. */
  get lastWords(): string {
    return readFileSync(this.#log, 'utf8').slice(-400);
  }

  /** Ends it and all that it started. */
  async stop(): Promise<void> {
    if (this.ended) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    for (const pid of processTree(this.pid)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it ended by itself meanwhile
      }
    }
    await gone;
  }
}
