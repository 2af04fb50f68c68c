import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { projectCommand } from '../support/gateway-command.ts';
import { ownRuntime } from '../support/gateway-process.ts';

/** A load generator as a process of its own, pinned to one core: a JSON line for each window, a JSON line back. */
export class LoadProcess<Window, Result> {
  readonly #child: ChildProcess;
  #waiting: { resolve(result: Result): void; reject(error: Error): void } | null = null;

  /** `file` is the program, from the project's root. */
  constructor(file: string, core: number) {
    const command = projectCommand(ownRuntime, file);
    this.#child = spawn('taskset', ['-c', String(core), ...command], { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      const waiting = this.#waiting;
      this.#waiting = null;
      waiting?.resolve(JSON.parse(line) as Result);
    });
    this.#child.once('exit', () => {
      this.#waiting?.reject(new Error('the load generator has ended'));
    });
  }

  /** Loads for one window; one at a time. */
  run(window: Window): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#child.stdin!.write(`${JSON.stringify(window)}\n`);
    });
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }
}
