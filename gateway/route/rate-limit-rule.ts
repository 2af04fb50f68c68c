import type { Formatter } from '#gateway/api/access-log.ts';
import type { RateLimitDescriptor, RateLimitRule, RouteEntry } from '#gateway/api/route.ts';
import type { JsonValue, StreamInfo } from '#gateway/api/stream-info.ts';
import { ConfigError, joinPath } from '#gateway/config/diagnostics.ts';
import { metadataValue } from '#gateway/config/matcher/value-matcher.ts';
import { compileFormat } from '#gateway/formatter/compile-format.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import type { RateLimit, RateLimit_Override } from '#proto-types/envoy/config/route/v3/route_components_pb.ts';
import { HeadFormatContext } from './format-context.ts';
import { compileRateLimitAction, type RateLimitAction, type RateLimitInput } from './rate-limit-action.ts';

type Limit = RateLimitDescriptor['limit'];
type LimitSource = (streamInfo: StreamInfo) => Limit;
type HitsSource = (head: RequestHead, streamInfo: StreamInfo) => number | null;

/** RateLimitUnit by name, as metadata overrides write it. */
const units: readonly string[] = ['UNKNOWN', 'SECOND', 'MINUTE', 'HOUR', 'DAY', 'MONTH', 'YEAR'];

/** RateLimit.XRateLimitOption, by number. */
const xRateLimitOptions: readonly (boolean | null)[] = [null, false, true];

class CompiledRule implements RateLimitRule {
  readonly stage: number;
  readonly disableKey: string;
  readonly applyOnStreamDone: boolean;
  readonly xRateLimitHeaders: boolean | null;
  readonly #actions: readonly RateLimitAction[];
  readonly #limit: LimitSource | null;
  readonly #hits: HitsSource | null;
  readonly #localCluster: string;

  constructor(message: RateLimit, localCluster: string) {
    this.stage = message.stage ?? 0;
    this.disableKey = message.disableKey;
    this.applyOnStreamDone = message.applyOnStreamDone;
    this.xRateLimitHeaders = xRateLimitOptions[message.xRatelimitOption] ?? null;
    this.#actions = message.actions.map((action, i) => {
      try {
        return compileRateLimitAction(action);
      } catch (error) {
        if (error instanceof ConfigError) throw new ConfigError(joinPath(`actions[${i}]`, error.path), error.problem);
        throw error;
      }
    });
    this.#limit = message.limit === undefined ? null : compileLimit(message.limit);
    this.#hits = compileHits(message);
    this.#localCluster = localCluster;
  }

  descriptor(head: RequestHead, streamInfo: StreamInfo, route: RouteEntry | null): RateLimitDescriptor | null {
    const input: RateLimitInput = { head, streamInfo, route, localCluster: this.#localCluster };
    const entries: { key: string; value: string }[] = [];
    for (const action of this.#actions) {
      const entry = action.entry(input);
      if (entry === null) return null;
      if (entry !== 'skip') entries.push(entry);
    }
    if (entries.length === 0) return null;
    return {
      entries,
      limit: this.#limit === null ? null : this.#limit(streamInfo),
      hitsAddend: this.#hits === null ? null : this.#hits(head, streamInfo),
    };
  }
}

/** Compiles `rate_limits`; `localCluster` is the node's own. Throws ConfigError with paths that begin with `path`. */
export function compileRateLimitRules(
  messages: readonly RateLimit[],
  path: string,
  localCluster: string,
): readonly RateLimitRule[] {
  return messages.map((message, i) => {
    try {
      return new CompiledRule(message, localCluster);
    } catch (error) {
      if (error instanceof ConfigError) throw new ConfigError(joinPath(`${path}[${i}]`, error.path), error.problem);
      throw error;
    }
  });
}

function compileLimit({ overrideSpecifier: override }: RateLimit_Override): LimitSource {
  if (override.case === 'rateLimit') {
    const limit: Limit = { requestsPerUnit: override.value.requestsPerUnit, unit: override.value.unit };
    return () => limit;
  }
  const namespace = override.value?.metadataKey?.key ?? '';
  const path = (override.value?.metadataKey?.path ?? []).map(({ segment }) => String(segment.value ?? ''));
  return (streamInfo) => {
    const found = metadataValue(streamInfo.dynamicMetadata, namespace, path);
    if (found === null || typeof found !== 'object' || Array.isArray(found)) return null;
    const { requests_per_unit: requests, unit } = found as { readonly [key: string]: JsonValue };
    const unitNumber = typeof unit === 'string' ? units.indexOf(unit) : -1;
    return typeof requests === 'number' && unitNumber > 0 ? { requestsPerUnit: requests, unit: unitNumber } : null;
  };
}

function compileHits({ hitsAddend }: RateLimit): HitsSource | null {
  if (hitsAddend === undefined) return null;
  if (hitsAddend.number !== undefined) {
    const hits = Number(hitsAddend.number);
    return () => hits;
  }
  if (hitsAddend.format === '') return null;
  let format: Formatter;
  try {
    format = compileFormat(hitsAddend.format, true);
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError('hits_addend.format', error.problem);
    throw error;
  }
  return (head, streamInfo) => {
    const text = format.format(new HeadFormatContext(head, null, streamInfo));
    const hits = Number(text);
    return text !== '' && Number.isInteger(hits) && hits >= 0 && hits <= 1_000_000_000 ? hits : null;
  };
}
