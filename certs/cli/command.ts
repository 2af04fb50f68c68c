import type { CommandOutput } from '#gateway/base/command-line/command-output.ts';
import type { Logger } from '#gateway/base/log.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timers } from '#gateway/runtime/timers.ts';

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
