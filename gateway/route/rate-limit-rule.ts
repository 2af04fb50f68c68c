import type { Formatter } from '#gateway/api/access-log.ts';
import type { ServerContext } from '#gateway/api/context.ts';
import type { RateLimitDescriptor, RateLimitRule, RouteEntry } from '#gateway/api/route.ts';
import type { JsonValue, StreamInfo } from '#gateway/api/stream-info.ts';
import { ConfigError, joinPath } from '#gateway/config/diagnostics.ts';
import { metadataValue } from '#gateway/config/matcher/value-matcher.ts';
import { compileFormat } from '#gateway/formatter/compile-format.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { RateLimit, RateLimit_Override } from '#proto-types/envoy/config/route/v3/route_components_pb.ts';
import { HeadFormatContext } from './format-context.ts';
import { compileRateLimitAction, type RateLimitAction, type RateLimitInput } from './rate-limit-action.ts';

type Limit = RateLimitDescriptor['limit'];
type LimitSource = (streamInfo: StreamInfo) => Limit;
/** Null: the format gave no number, and there is no descriptor then. */
type HitsSource = (head: RequestHead, response: ResponseHead | null, streamInfo: StreamInfo) => number | null;

/** RateLimitUnit by name, as metadata overrides write it. */
const units: readonly string[] = ['UNKNOWN', 'SECOND', 'MINUTE', 'HOUR', 'DAY', 'MONTH', 'YEAR'];

/** Envoy's runtime flag for command operators in `descriptor_value`; off unless set. */
const formatFlag = 'envoy.reloadable_features.enable_formatter_for_ratelimit_action_descriptor_value';

/** The most that `hits_addend.format` may come to, and the numbers that it reads; the rest behind the point does not count. */
const mostHits = 1_000_000_000;
const decimal = /^(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|0x[\da-f]+)$/i;

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
  readonly #negativeHits: boolean;

  constructor(message: RateLimit, { server, ofFilter }: RateLimitRuleScope) {
    if (ofFilter && (message.stage !== undefined || message.disableKey !== ''))
      throw new ConfigError(message.stage === undefined ? 'disable_key' : 'stage', 'only rules of routes may have it');
    const formats = server.runtime.boolean(formatFlag, false);
    this.stage = message.stage ?? 0;
    this.disableKey = message.disableKey;
    this.applyOnStreamDone = message.applyOnStreamDone;
    this.xRateLimitHeaders = xRateLimitOptions[message.xRatelimitOption] ?? null;
    this.#actions = message.actions.map((action, i) => {
      try {
        if (ofFilter && action.actionSpecifier.case === 'dynamicMetadata')
          throw new ConfigError('dynamic_metadata', 'deprecated: only rules of routes may have it; use metadata');
        return compileRateLimitAction(action, formats);
      } catch (error) {
        if (error instanceof ConfigError) throw new ConfigError(joinPath(`actions[${i}]`, error.path), error.problem);
        throw error;
      }
    });
    this.#limit = message.limit === undefined ? null : compileLimit(message.limit);
    // Envoy counts one hit for rules of routes whatever their hits_addend says.
    this.#hits = ofFilter ? compileHits(message) : null;
    this.#localCluster = server.node.cluster;
    this.#negativeHits = ofFilter && (message.hitsAddend?.isNegativeHits ?? false);
  }

  descriptor(
    head: RequestHead,
    streamInfo: StreamInfo,
    route: RouteEntry | null,
    response: ResponseHead | null = null,
  ): RateLimitDescriptor | null {
    const input: RateLimitInput = { head, streamInfo, route, localCluster: this.#localCluster };
    const entries: { key: string; value: string }[] = [];
    for (const action of this.#actions) {
      const entry = action.entry(input);
      if (entry === null) return null;
      if (entry !== 'skip') entries.push(entry);
    }
    const limit = this.#limit === null ? null : this.#limit(streamInfo);
    const hitsAddend = this.#hits === null ? null : this.#hits(head, response, streamInfo);
    if (this.#hits !== null && hitsAddend === null) return null;
    return this.#negativeHits ? { entries, limit, hitsAddend, negativeHits: true } : { entries, limit, hitsAddend };
  }
}

/** Where rules stand: `ofFilter` is for those of a filter's own configuration, for all or per route. */
export interface RateLimitRuleScope {
  readonly server: Pick<ServerContext, 'node' | 'runtime'>;
  readonly ofFilter: boolean;
}

/** Compiles `rate_limits`. Throws ConfigError with paths that begin with `path`. */
export function compileRateLimitRules(
  messages: readonly RateLimit[],
  path: string,
  scope: RateLimitRuleScope,
): readonly RateLimitRule[] {
  return messages.map((message, i) => {
    try {
      return new CompiledRule(message, scope);
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
  if (hitsAddend.number !== undefined && hitsAddend.format !== '')
    throw new ConfigError('hits_addend', 'hits_addend must contain either a format or a number');
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
  return (head, response, streamInfo) => {
    const text = format.format(new HeadFormatContext(head, response, streamInfo));
    const hits = decimal.test(text) ? Number(text) : Number.NaN;
    return hits >= 0 && hits <= mostHits ? Math.floor(hits) : null;
  };
}
