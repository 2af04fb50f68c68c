import { IpRange, parseIp } from '#gateway/base/ip.ts';
import type {
  RateLimit,
  RateLimit_Action,
  RateLimit_Action_RemoteAddressMatch,
  RateLimit_Override,
} from '#proto-types/envoy/config/route/v3/route_components_pb.ts';
import type { MetadataKey } from '#proto-types/envoy/type/metadata/v3/metadata_pb.ts';
import { unitSeconds } from '../config/limit-unit.ts';
import type { LimitOverride } from '../limiter/request.ts';
import { celEntry } from './cel-entry.ts';
import type { ConditionSpec, CountedWhen, DescriptorSpec, EntrySpec, FieldTest } from './descriptor-spec.ts';
import { headerTest, parameterTest } from './field-tests.ts';
import type { RoutesMetadata, RouteValue } from './route-metadata.ts';
import { SimulationError } from './simulation-error.ts';

/** What one action adds to a descriptor. */
interface ActionSpec {
  readonly entry: EntrySpec;
  readonly condition: ConditionSpec | null;
}

/** What actions depend on besides the request. */
export interface ActionSurroundings {
  /** The name of Envoy's own cluster; null when it is not known. */
  readonly sourceCluster: string | null;
  readonly routes: RoutesMetadata;
}

/** One of Envoy's `rate_limits` as a descriptor of log fields. `where` names it in errors. Throws {@link SimulationError}. */
export function rateLimitSpec(rateLimit: RateLimit, surroundings: ActionSurroundings, where: string): DescriptorSpec {
  const refuse = (problem: string): SimulationError => new SimulationError(`${where}: ${problem}`);
  if (rateLimit.actions.length === 0) throw refuse('it has no actions');
  const actions = rateLimit.actions.map((action, i) => actionSpec(action, surroundings, `${where}.actions[${i}]`));
  const { hitsAddend, applyOnStreamDone: done } = rateLimit;
  const negative = hitsAddend?.isNegativeHits === true;
  if (negative && !done) throw refuse('is_negative_hits is replayed only with apply_on_stream_done');
  const when: CountedWhen = done ? (negative ? 'give-back' : 'done') : 'start';
  return {
    entries: actions.map(({ entry }) => entry),
    conditions: actions.flatMap(({ condition }) => (condition === null ? [] : [condition])),
    hits: hitsAddend?.number === undefined ? hitsAddend?.format || null : String(hitsAddend.number),
    when,
    ...(rateLimit.limit === undefined ? {} : { limit: overrideSpec(rateLimit.limit, where) }),
  };
}

function overrideSpec({ overrideSpecifier: override }: RateLimit_Override, where: string): LimitOverride | string {
  if (override.case !== 'rateLimit') return metadataField(override.value?.metadataKey);
  if (unitSeconds(override.value.unit) === 0) throw new SimulationError(`${where}.limit.rate_limit: it has no unit`);
  return { requestsPerUnit: override.value.requestsPerUnit, unit: override.value.unit };
}

function actionSpec(
  { actionSpecifier: action }: RateLimit_Action,
  { sourceCluster, routes }: ActionSurroundings,
  where: string,
): ActionSpec {
  switch (action.case) {
    case 'sourceCluster': {
      const hint = 'source_cluster: the file has no node.cluster; say it with --source-cluster';
      if (sourceCluster === null) throw new SimulationError(`${where}: ${hint}`);
      return always(entry('source_cluster', literal(sourceCluster)));
    }
    case 'remoteAddressMatch':
      return remoteAddressMatch(action.value, where);
    case 'remoteAddress':
      return always(entry('remote_address', '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%'));
    case 'maskedRemoteAddress': {
      const lengths = `${action.value.v4PrefixMaskLen ?? 32},${action.value.v6PrefixMaskLen ?? 128}`;
      return always(entry('masked_remote_address', `%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(${lengths})%`));
    }
    case 'destinationCluster':
      return always(entry('destination_cluster', '%UPSTREAM_CLUSTER%'));
    case 'requestHeaders': {
      const { descriptorKey, headerName, skipIfAbsent } = action.value;
      return always({ ...entry(descriptorKey, `%REQ(${headerName})%`), optional: skipIfAbsent });
    }
    case 'queryParameters': {
      const { descriptorKey, queryParameterName, skipIfAbsent } = action.value;
      return always({
        ...entry(descriptorKey, `%DECODED_QUERY_PARAM(${queryParameterName})%`),
        optional: skipIfAbsent,
      });
    }
    case 'genericKey':
      return always(constant(action.value, 'generic_key'));
    case 'headerValueMatch': {
      const tests = action.value.headers.map(headerTest);
      return matching(constant(action.value, 'header_match'), tests, action.value.expectMatch);
    }
    case 'queryParameterValueMatch': {
      const tests = action.value.queryParameters.map(parameterTest);
      return matching(constant(action.value, 'query_match'), tests, action.value.expectMatch);
    }
    case 'dynamicMetadata': {
      const { descriptorKey, metadataKey, defaultValue } = action.value;
      return always({ ...fromMetadata(descriptorKey, metadataKey), fallback: defaultValue || null });
    }
    case 'metadata': {
      const { descriptorKey, metadataKey, defaultValue, source, skipIfAbsent } = action.value;
      const own =
        source === 0
          ? fromMetadata(descriptorKey, metadataKey)
          : fromRoute(descriptorKey, routes.value(metadataKey?.key ?? '', pathOf(metadataKey), where));
      return always({ ...own, fallback: defaultValue || null, optional: skipIfAbsent });
    }
    case 'extension':
      return always(celEntry(action.value, where));
    default:
      throw new SimulationError(`${where}: it is no action that is known here; describe it with --descriptor`);
  }
}

function entry(key: string, text: string): EntrySpec {
  return { key, text, fallback: null, optional: false };
}

/** A value that is in the configuration. Envoy reads fields in it only behind a runtime flag. */
function constant(
  value: { readonly descriptorKey: string; readonly descriptorValue: string; readonly defaultValue: string },
  usualKey: string,
): EntrySpec {
  return entry(value.descriptorKey || usualKey, literal(value.descriptorValue || value.defaultValue));
}

/** As a text without fields. */
function literal(text: string): string {
  return text.replaceAll('%', '%%');
}

function pathOf(metadataKey: MetadataKey | undefined): string[] {
  return (metadataKey?.path ?? []).map(({ segment }) => String(segment.value ?? ''));
}

function metadataField(metadataKey: MetadataKey | undefined): string {
  return `%DYNAMIC_METADATA(${[metadataKey?.key ?? '', ...pathOf(metadataKey)].join(':')})%`;
}

function fromMetadata(descriptorKey: string, metadataKey: MetadataKey | undefined): EntrySpec {
  return entry(descriptorKey, metadataField(metadataKey));
}

function fromRoute(descriptorKey: string, value: RouteValue): EntrySpec {
  if (value.kind === 'by-name') {
    const change = (name: string | null): string | null => value.values.get(name ?? '') ?? null;
    return { ...entry(descriptorKey, '%ROUTE_NAME%'), change };
  }
  return value.value === null
    ? { ...entry(descriptorKey, ''), change: () => null }
    : entry(descriptorKey, literal(value.value));
}

/** Command operators in its value are always read, and it is left out when that is empty. */
function remoteAddressMatch(value: RateLimit_Action_RemoteAddressMatch, where: string): ActionSpec {
  const { addressMatcher, descriptorValue, defaultValue, descriptorKey } = value;
  const ranges = (addressMatcher?.ranges ?? []).map(({ addressPrefix, prefixLen = 0 }) => {
    const range = IpRange.parse(addressPrefix, prefixLen);
    if (range === null) throw new SimulationError(`${where}: invalid range ${addressPrefix}/${prefixLen}`);
    return range;
  });
  const test: FieldTest = {
    text: '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%',
    matches(address) {
      const ip = address === null ? null : parseIp(address);
      return ip !== null && ranges.some((range) => range.contains(ip));
    },
  };
  const own = entry(descriptorKey || 'remote_address_match', descriptorValue);
  return {
    entry: { ...own, fallback: defaultValue || null, lenient: true },
    condition: { tests: [test], negated: addressMatcher?.invertMatch === true },
  };
}

function always(spec: EntrySpec): ActionSpec {
  return { entry: spec, condition: null };
}

function matching(spec: EntrySpec, tests: readonly FieldTest[], expected: boolean | undefined): ActionSpec {
  return { entry: spec, condition: { tests, negated: expected === false } };
}
