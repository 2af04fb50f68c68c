import type { Logger } from '#gateway/base/log.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import type { CommandOutput } from './command-output.ts';
import type { Flag, GivenFlags } from './flags.ts';

/** What a command has of the world around it. */
export interface CommandContext {
  readonly output: CommandOutput;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** An environment variable, or null. */
  readonly variable: (name: string) => string | null;
  /** Resolves when a command that goes on and on is to end. */
  readonly stopped: () => Promise<void>;
  /** Makes a service outlive what nobody caught, which is logged. */
  readonly guard: (log: Logger) => void;
}

/** A command with its flags. */
export interface Command {
  readonly name: string;
  /** What follows the name in the usage line. */
  readonly words: string;
  /** One line. */
  readonly summary: string;
  readonly flags: readonly Flag[];
  /** Answers the exit code. Throws UsageError and CertificateError. */
  run(given: GivenFlags, context: CommandContext): Promise<number>;
}

/** `--json` of every command. */
export const jsonFlag: Flag = { name: 'json', value: '', help: 'print JSON, on one line' };

/** Prints `value` as one line of JSON, or the text for people. */
export function print(given: GivenFlags, context: CommandContext, value: unknown, text: () => string): void {
  context.output.write(given.has('json') ? `${JSON.stringify(value)}\n` : text());
}
