import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandContext } from '#certs/cli/command.ts';
import { runCertificateCommand } from '#certs/cli/run-command.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { TimerWheel } from '#gateway/runtime/timers.ts';
import { AuthorityWorld } from '../authority-world.ts';

/** What a command did. */
export interface CommandResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** Standard output as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked into freely
  readonly json: any;
}

/** Runs `sluice certs` commands in this process, on an authority's directory with a clock that stands still. */
export class CommandRunner extends AuthorityWorld {
  readonly variables: Map<string, string> = new Map();

  /** Where a file of the test is. */
  path(name: string): string {
    return join(this.base, name);
  }

  /** Writes a file for its owner only. */
  write(name: string, text: string): string {
    writeFileSync(this.path(name), text, { mode: 0o600 });
    return this.path(name);
  }

  /** Runs a command line; `@dir` and `@/NAME` stand for the authority's directory and a file of the test. */
  async run(line: string, change: Partial<CommandContext> = {}): Promise<CommandResult> {
    let out = '';
    let err = '';
    const args = line
      .split(' ')
      .filter((word) => word !== '')
      .map((word) => word.replace('@dir', this.directory).replace('@/', `${this.base}/`));
    const code = await runCertificateCommand(args, {
      output: {
        write: (text) => {
          out += text;
        },
        error: (text) => {
          err += text;
        },
      },
      clock: this,
      timers: new TimerWheel(this, { at: () => {}, cancel: () => {} }),
      random: createSeededRandom(1),
      variable: (name) => this.variables.get(name) ?? null,
      stopped: () => new Promise(() => {}),
      guard: () => {},
      ...change,
    });
    return {
      code,
      out,
      err,
      get json() {
        return JSON.parse(out);
      },
    };
  }
}
