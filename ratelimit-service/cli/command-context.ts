import type { CommandOutput } from '#gateway/base/command-line/command-output.ts';
import type { Clock } from '#gateway/runtime/clock.ts';

/** What a command of `sluice ratelimit` has of the world around it. */
export interface CommandContext {
  readonly output: CommandOutput;
  readonly clock: Clock;
  /** An environment variable, or null. */
  readonly variable: (name: string) => string | null;
}

/** Something that a command was asked for and could not do. The message says what to do about it. */
export class CommandFailure extends Error {
  override readonly name: string = 'CommandFailure';
}
