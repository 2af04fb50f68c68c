import type { FormatterContext } from '#gateway/api/access-log.ts';
import type { RuntimeFlags, ServerContext } from '#gateway/api/context.ts';
import { responseFlagNames } from '#gateway/api/response-flags.ts';
import { ConfigError, joinPath } from '#gateway/config/diagnostics.ts';
import { readFraction } from '#gateway/config/fraction.ts';
import { compileHeaderMatcher } from '#gateway/config/matcher/header-matcher.ts';
import { compileMetadataMatcher, metadataValue } from '#gateway/config/matcher/value-matcher.ts';
import { grpcStatusOf } from '#gateway/formatter/grpc-status.ts';
import type {
  ComparisonFilter,
  AccessLogFilter as FilterMessage,
  MetadataFilter,
  RuntimeFilter,
} from '#proto-types/envoy/config/accesslog/v3/accesslog_pb.ts';

/** Whether a stream is written to an access log. Pure but for runtime fractions. */
export type AccessLogFilter = (context: FormatterContext) => boolean;

type Server = Pick<ServerContext, 'runtime' | 'random'>;

/** Compiles an envoy.config.accesslog.v3.AccessLogFilter. Throws ConfigError with a path relative to the message. */
export function compileAccessLogFilter(message: FilterMessage, server: Server): AccessLogFilter {
  const { filterSpecifier: filter } = message;
  switch (filter.case) {
    case 'statusCodeFilter': {
      const compare = comparison(filter.value.comparison, server.runtime, 'status_code_filter');
      return ({ streamInfo }) => compare(streamInfo.responseCode);
    }
    case 'durationFilter': {
      const compare = comparison(filter.value.comparison, server.runtime, 'duration_filter');
      return ({ streamInfo: { startMs, endMs } }) => endMs >= 0 && compare(Math.floor(endMs - startMs));
    }
    case 'notHealthCheckFilter':
      return ({ streamInfo }) => !streamInfo.healthCheck;
    case 'traceableFilter':
      return ({ streamInfo }) => streamInfo.traceId !== '';
    case 'runtimeFilter':
      return runtimeFilter(filter.value, server);
    case 'andFilter': {
      const all = compileList(filter.value.filters, 'and_filter.filters', server);
      return (context) => all.every((accepts) => accepts(context));
    }
    case 'orFilter': {
      const any = compileList(filter.value.filters, 'or_filter.filters', server);
      return (context) => any.some((accepts) => accepts(context));
    }
    case 'headerFilter': {
      const matcher = filter.value.header;
      if (matcher === undefined) throw new ConfigError('header_filter.header', 'header is required');
      const predicate = within('header_filter.header', () => compileHeaderMatcher(matcher));
      return ({ request }) => request !== null && predicate.matches(request);
    }
    case 'responseFlagFilter': {
      let wanted = 0;
      for (const name of filter.value.flags) {
        const flag = responseFlagNames.find((known) => known.short === name);
        if (flag === undefined) throw new ConfigError('response_flag_filter.flags', `unknown response flag '${name}'`);
        wanted |= flag.bit;
      }
      return ({ streamInfo: { flags } }) => (wanted === 0 ? flags !== 0 : (flags & wanted) !== 0);
    }
    case 'grpcStatusFilter': {
      const statuses: readonly number[] = filter.value.statuses;
      const { exclude } = filter.value;
      return (context) => statuses.includes(grpcStatusOf(context) ?? 2) !== exclude;
    }
    case 'metadataFilter':
      return metadataFilter(filter.value);
    default:
      throw new ConfigError('', 'an access log filter of this kind is not supported yet');
  }
}

function compileList(messages: readonly FilterMessage[], path: string, server: Server): readonly AccessLogFilter[] {
  return messages.map((message, i) => within(`${path}[${i}]`, () => compileAccessLogFilter(message, server)));
}

function within<T>(path: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(joinPath(path, error.path), error.problem, error.suggestion);
  }
}

/** Numbers of envoy.config.accesslog.v3.ComparisonFilter.Op. */
const ComparisonOp = { Equal: 0, GreaterOrEqual: 1, LessOrEqual: 2, NotEqual: 3 } as const;

function comparison(
  message: ComparisonFilter | undefined,
  runtime: RuntimeFlags,
  path: string,
): (value: number) => boolean {
  if (message?.value === undefined) throw new ConfigError(`${path}.comparison`, 'comparison with a value is required');
  const { defaultValue, runtimeKey } = message.value;
  const bound = (): number => (runtimeKey === '' ? defaultValue : runtime.number(runtimeKey, defaultValue));
  const op: number = message.op;
  switch (op) {
    case ComparisonOp.Equal:
      return (value) => value === bound();
    case ComparisonOp.GreaterOrEqual:
      return (value) => value >= bound();
    case ComparisonOp.LessOrEqual:
      return (value) => value <= bound();
    case ComparisonOp.NotEqual:
      return (value) => value !== bound();
    default:
      throw new ConfigError(`${path}.comparison.op`, `unknown comparison ${op}`);
  }
}

/** A share of requests; the same request id gives the same answer everywhere unless randomness is to be independent. */
function runtimeFilter(message: RuntimeFilter, { runtime, random }: Server): AccessLogFilter {
  const { numerator, denominator } =
    message.percentSampled === undefined ? { numerator: 0, denominator: 100 } : readFraction(message.percentSampled);
  const { runtimeKey, useIndependentRandomness } = message;
  return ({ streamInfo: { requestId } }) => {
    const fromId = useIndependentRandomness ? Number.NaN : Number.parseInt(requestId.slice(0, 8), 16);
    return runtime.enabled(runtimeKey, numerator, denominator, Number.isNaN(fromId) ? random.uint32() : fromId);
  };
}

function metadataFilter(message: MetadataFilter): AccessLogFilter {
  const { matcher, matchIfKeyNotFound = true } = message;
  if (matcher === undefined) return () => matchIfKeyNotFound;
  const predicate = within('metadata_filter.matcher', () => compileMetadataMatcher(matcher));
  const path = matcher.path.map(({ segment }) => segment.value ?? '');
  return ({ streamInfo: { dynamicMetadata } }) =>
    metadataValue(dynamicMetadata, matcher.filter, path) === undefined
      ? matchIfKeyNotFound
      : predicate.matches(dynamicMetadata);
}
