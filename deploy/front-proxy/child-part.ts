import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import process from 'node:process';

/** One process of the demo. */
export interface Part {
  readonly name: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Where its output goes. */
  readonly logFile: string;
}

/** A part that has been started. */
export class ChildPart {
  readonly part: Part;
  readonly #child: ChildProcess;
  #ended = false;
  readonly #whenEnded: Promise<void>;

  /** Starts it. `onEnd` is told the exit code, or the signal's name, once. */
  constructor(part: Part, env: NodeJS.ProcessEnv, onEnd: (how: string) => void) {
    this.part = part;
    const log = openSync(part.logFile, 'w');
    this.#child = spawn(part.command[0]!, part.command.slice(1), {
      stdio: ['ignore', log, log],
      // A process group of its own: Ctrl-C in a terminal reaches the demo only, which then ends its parts in order.
      detached: true,
      env: { ...env, ...part.env },
    });
    closeSync(log);
    this.#whenEnded = new Promise((resolve) => {
      const end = (how: string): void => {
        if (this.#ended) return;
        this.#ended = true;
        resolve();
        onEnd(how);
      };
      this.#child.on('exit', (code, signal) => end(signal ?? `exit code ${code}`));
      this.#child.on('error', (error) => end(error.message));
    });
  }

  get ended(): boolean {
    return this.#ended;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The last lines of its output. */
  tail(lines: number): string {
    return readFileSync(this.part.logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  }

  /** Ends it: SIGTERM, and SIGKILL when it is still there after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    if (this.#ended) return;
    const pid = this.pid;
    signal(pid, 'SIGTERM');
    const killer = setTimeout(() => signal(pid, 'SIGKILL'), graceMs);
    await this.#whenEnded;
    clearTimeout(killer);
  }
}

/** By number, because a second `child.kill` does nothing on Deno. The process may have ended in between. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone, which is what was wanted.
  }
}
