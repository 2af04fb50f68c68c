import type { Clock } from '#gateway/runtime/clock.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import type { SecretUses } from './secret-uses.ts';

/** What a rehearsal is given besides the secret. */
export interface RehearsalStage {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly uses: SecretUses;
}
