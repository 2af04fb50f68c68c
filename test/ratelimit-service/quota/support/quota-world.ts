import { createMessage, decodeMessage, encodeMessage } from '#gateway/proto/registry.ts';
import type {
  RateLimitQuotaResponse,
  RateLimitQuotaUsageReports,
} from '#proto-types/envoy/service/rate_limit_quota/v3/rlqs_pb.ts';
import { loadLimitConfig } from '#ratelimit/config/config-loader.ts';
import { StatsStore } from '#ratelimit/limiter/stats-store.ts';
import { Pacer } from '#ratelimit/quota/pacer.ts';
import { type QuotaOptions, QuotaService } from '#ratelimit/quota/quota-service.ts';
import { QuotaStats } from '#ratelimit/quota/quota-stats.ts';
import type { GrpcHandler, GrpcSink } from '#ratelimit/service/grpc-method.ts';
import type { CounterStore } from '#ratelimit/store/counter-store.ts';
import { MemoryStore } from '#ratelimit/store/memory-store.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

/** One replica of the quota service. */
export class Replica {
  readonly service: QuotaService;
  readonly stats: QuotaStats = new QuotaStats();
  readonly limitStats: StatsStore = new StatsStore();

  constructor(time: VirtualTime, store: CounterStore, yaml: string, options: Partial<QuotaOptions> = {}) {
    const pacer = new Pacer(time, time.timers);
    const world = { store, pacer, clock: time, timers: time.timers, stats: this.stats, ttlSeconds: 60 };
    this.service = new QuotaService(world, this.limitStats, {
      keyPrefix: '',
      escapeKeys: false,
      shadowMode: false,
      nearLimitRatio: 0.8,
      unknownBuckets: 'allow',
      idleMs: 600_000,
      maxBucketsPerStream: 1000,
      maxBuckets: 100_000,
      exemptions: null,
      ...options,
    });
    this.configure(yaml);
  }

  configure(yaml: string): void {
    this.service.setConfig(loadLimitConfig([{ name: 'a.yaml', text: yaml }], false, this.limitStats));
  }
}

/** Lets everything that was put off to the end of the turn happen. */
export async function turn(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Text of an id: `k=v k=v`. */
export type IdText = string;

function idOf(text: IdText): Record<string, string> {
  return Object.fromEntries(text.split(' ').map((pair) => [pair.split('=')[0]!, pair.split('=')[1] ?? '']));
}

/** A stream to one replica that notes what it is told, one line an action. */
export class RawStream implements GrpcSink {
  open = true;
  bufferedOctets = 0;
  readonly told: string[] = [];
  readonly responses: RateLimitQuotaResponse[] = [];
  readonly handler: GrpcHandler;
  onResponse: ((response: RateLimitQuotaResponse) => void) | null = null;

  constructor({ service }: { readonly service: Pick<QuotaService, 'open'> }) {
    this.handler = service.open(this);
  }

  send(message: Uint8Array): boolean {
    if (!this.open) return false;
    const response = decodeMessage<RateLimitQuotaResponse>(
      'envoy.service.rate_limit_quota.v3.RateLimitQuotaResponse',
      message,
    );
    this.responses.push(response);
    for (const { bucketId, bucketAction } of response.bucketAction) {
      const id = Object.entries(bucketId?.bucket ?? {})
        .map(([key, value]) => `${key}=${value}`)
        .join(' ');
      this.told.push(`${id}: ${actionText(bucketAction)}`);
    }
    this.onResponse?.(response);
    return true;
  }

  finish(status: number, message: string): void {
    this.open = false;
    this.told.push(`finished ${status} ${message}`.trim());
  }

  readDisable(): void {}

  /** Reports usage: `[id, allowed, denied]` each. */
  report(domain: string, ...usages: readonly (readonly [id: IdText, allowed: number, denied: number])[]): void {
    const message = createMessage<RateLimitQuotaUsageReports>(
      'envoy.service.rate_limit_quota.v3.RateLimitQuotaUsageReports',
      {
        domain,
        bucketQuotaUsages: usages.map(([id, allowed, denied]) => ({
          bucketId: { bucket: idOf(id) },
          numRequestsAllowed: BigInt(allowed),
          numRequestsDenied: BigInt(denied),
        })),
      },
    );
    this.handler.onMessage(encodeMessage(message));
  }

  /** What was told since the last look. */
  news(): string[] {
    return this.told.splice(0);
  }
}

function actionText(action: RateLimitQuotaResponse['bucketAction'][number]['bucketAction']): string {
  if (action.case === 'abandonAction') return 'abandon';
  const strategy = action.value?.rateLimitStrategy?.strategy;
  if (strategy?.case === 'blanketRule') return strategy.value === 0 ? 'allow' : 'deny';
  if (strategy?.case !== 'tokenBucket') return 'nothing';
  const { maxTokens, tokensPerFill, fillInterval } = strategy.value;
  return `${maxTokens} + ${Number(tokensPerFill)} in ${fillInterval!.seconds}s`;
}

/** A world with one store. */
export function quotaWorld(
  yaml: string,
  replicas = 1,
  options: Partial<QuotaOptions> = {},
): { time: VirtualTime; replicas: Replica[]; store: MemoryStore } {
  const time = new VirtualTime(1_699_999_199_000);
  const store = new MemoryStore(time);
  return { time, store, replicas: Array.from({ length: replicas }, () => new Replica(time, store, yaml, options)) };
}
