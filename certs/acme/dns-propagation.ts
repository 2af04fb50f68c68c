import { promises as dns } from 'node:dns';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import { AcmeError } from './acme-error.ts';
import { wait } from './wait.ts';

/** Waits until a TXT record can be seen. */
export interface PropagationCheck {
  /** Resolves when every resolver shows `value`; throws `AcmeError` when that takes too long. */
  untilVisible(name: string, value: string): Promise<void>;
}

/** Which resolvers have to show a record, and for how long they are asked. */
export interface PropagationOptions {
  /** `ADDRESS` or `ADDRESS:PORT`. */
  readonly resolvers: readonly string[];
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly timers: Timers;
}

const pauseMs = 2000;

/** Asks the resolvers one after the other, every two seconds, until each has shown the record once. */
export function createPropagationCheck(options: PropagationOptions): PropagationCheck {
  const resolvers = options.resolvers.map((address) => {
    const resolver = new dns.Resolver();
    resolver.setServers([address]);
    return { address, resolver };
  });
  return {
    async untilVisible(name, value): Promise<void> {
      const end = options.clock.nowMs() + options.timeoutMs;
      for (const { address, resolver } of resolvers) {
        while (!(await shows(resolver, name, value))) {
          if (options.clock.nowMs() >= end)
            throw new AcmeError(
              'challenge',
              `${address} does not show the TXT record of ${name} after ${Math.round(options.timeoutMs / 1000)} s; see --dns-timeout`,
            );
          await wait(options.timers, pauseMs);
        }
      }
    },
  };
}

async function shows(resolver: InstanceType<typeof dns.Resolver>, name: string, value: string): Promise<boolean> {
  try {
    return (await resolver.resolveTxt(name)).some((parts) => parts.join('') === value);
  } catch {
    return false; // not there yet, or the resolver is not reachable: the time limit tells
  }
}
