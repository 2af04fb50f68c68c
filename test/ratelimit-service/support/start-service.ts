import { LogRegistry } from '#gateway/base/log.ts';
import { systemClock } from '#gateway/runtime/clock.ts';
import { createSystemRandom } from '#gateway/runtime/random.ts';
import { createSystemTimers } from '#gateway/runtime/timers.ts';
import { readSettings } from '#ratelimit/config/settings.ts';
import { createRateLimitService, type RateLimitService } from '#ratelimit/service/create-rate-limit-service.ts';

/** A rate-limit service in this process. */
export interface StartedService {
  readonly service: RateLimitService;
  /** `level message`, in order. */
  readonly lines: readonly string[];
}

/** Starts one on free ports of the loopback interface, with its counters in memory and no statistics sink. */
export async function startService(
  env: Readonly<Record<string, string>>,
  stopped: () => boolean = () => false,
): Promise<StartedService> {
  const lines: string[] = [];
  const service = await createRateLimitService(
    {
      settings: readSettings({
        BACKEND_TYPE: 'memory',
        USE_STATSD: 'false',
        DISABLE_STATS: 'true',
        HOST: '127.0.0.1',
        PORT: '0',
        GRPC_HOST: '127.0.0.1',
        GRPC_PORT: '0',
        DEBUG_PORT: '0',
        ...env,
      }),
      clock: systemClock,
      timers: createSystemTimers(systemClock),
      random: createSystemRandom(),
      logs: new LogRegistry({ write: (level, _component, message) => lines.push(`${level} ${message}`) }),
    },
    stopped,
  );
  if (service === null) throw new Error('the start was stopped');
  return { service, lines };
}
