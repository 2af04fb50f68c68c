import type { RateLimit, RateLimit_Action } from '#proto-types/envoy/config/route/v3/route_components_pb.ts';
import type { MetadataKey } from '#proto-types/envoy/type/metadata/v3/metadata_pb.ts';
import type { ConditionSpec, CountedWhen, DescriptorSpec, EntrySpec, FieldTest } from './descriptor-spec.ts';
import { headerTest, parameterTest } from './field-tests.ts';
import { SimulationError } from './simulation-error.ts';

/** What one action adds to a descriptor. */
interface ActionSpec {
  readonly entry: EntrySpec;
  readonly condition: ConditionSpec | null;
}

/** One of Envoy's `rate_limits` as a descriptor of log fields. `where` names it in errors. Throws {@link SimulationError}. */
export function rateLimitSpec(rateLimit: RateLimit, where: string): DescriptorSpec {
  const refuse = (problem: string): SimulationError => new SimulationError(`${where}: ${problem}`);
  if (rateLimit.limit !== undefined) throw refuse('limit: an override cannot be replayed');
  if (rateLimit.actions.length === 0) throw refuse('it has no actions');
  const actions = rateLimit.actions.map((action, i) => actionSpec(action, `${where}.actions[${i}]`));
  const { hitsAddend, applyOnStreamDone: done } = rateLimit;
  const negative = hitsAddend?.isNegativeHits === true;
  if (negative && !done) throw refuse('is_negative_hits is replayed only with apply_on_stream_done');
  const when: CountedWhen = done ? (negative ? 'give-back' : 'done') : 'start';
  return {
    entries: actions.map(({ entry }) => entry),
    conditions: actions.flatMap(({ condition }) => (condition === null ? [] : [condition])),
    hits: hitsAddend?.number === undefined ? hitsAddend?.format || null : String(hitsAddend.number),
    when,
  };
}

function actionSpec({ actionSpecifier: action }: RateLimit_Action, where: string): ActionSpec {
  switch (action.case) {
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
      return always({ ...entry(descriptorKey, `%QUERY_PARAM(${queryParameterName})%`), optional: skipIfAbsent });
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
      if (source !== 0) throw new SimulationError(`${where}: metadata of a route is not in a log`);
      const own = fromMetadata(descriptorKey, metadataKey);
      return always({ ...own, fallback: defaultValue || null, optional: skipIfAbsent });
    }
    default: {
      const name = action.case?.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) ?? 'no action';
      throw new SimulationError(`${where}: ${name} cannot be told from a log; describe it with --descriptor`);
    }
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
  const text = (value.descriptorValue || value.defaultValue).replaceAll('%', '%%');
  return entry(value.descriptorKey || usualKey, text);
}

function fromMetadata(descriptorKey: string, metadataKey: MetadataKey | undefined): EntrySpec {
  const path = (metadataKey?.path ?? []).map(({ segment }) => String(segment.value ?? ''));
  return entry(descriptorKey, `%DYNAMIC_METADATA(${[metadataKey?.key ?? '', ...path].join(':')})%`);
}

function always(spec: EntrySpec): ActionSpec {
  return { entry: spec, condition: null };
}

function matching(spec: EntrySpec, tests: readonly FieldTest[], expected: boolean | undefined): ActionSpec {
  return { entry: spec, condition: { tests, negated: expected === false } };
}
