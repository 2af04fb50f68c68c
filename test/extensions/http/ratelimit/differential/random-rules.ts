import type { Dice } from '#test/support/dice.ts';

/** A message as it stands in a configuration. */
export type Fields = Record<string, unknown>;

/** Where rules stand: those of routes and virtual hosts have stages, those of filters do not. */
export type RulePlace = 'route' | 'filter';

const headerNames = [
  'x-a',
  'x-b',
  'X-A',
  'x-c',
  ':path',
  ':method',
  ':authority',
  'cookie',
  'user-agent',
  'x-forwarded-for',
] as const;
const parameterNames = ['q', 'q', 'Q', 'page', 'a b', '%71', 'x'] as const;
const keys = ['k', 'k', 'user', 'a.b', 'with space', 'ü'] as const;
const values = [
  'v',
  'w',
  'x-1',
  '50%%',
  'a,b',
  'ü',
  '%REQ(x-a)%',
  'p-%REQ(x-b)%-s',
  '%REQ(x-none)%',
  '%PROTOCOL%',
] as const;
/** Where the metadata of the service's answers is put. */
export const metadataSpaces = ['envoy.filters.http.ratelimit', 'own.space', 'route.space'] as const;
const hitFormats = [
  '%REQ(x-hits)%',
  '%RESPONSE_CODE%',
  '%REQ(x-none?x-hits)%',
  '%BYTES_RECEIVED%',
  '%DYNAMIC_METADATA(own.space:number)%',
] as const;
const endHitFormats = ['%RESP(x-cost)%', '%BYTES_SENT%', ...hitFormats] as const;
const expressions = [
  "request.headers['x-a']",
  "request.method == 'GET'",
  'request.path.size()',
  "request.url_path.startsWith('/r')",
  'request.query',
  '1.5',
  'request.host',
  'has(request.query)',
  "'x-b' in request.headers ? 'with' : 'without'",
] as const;

/** A list of rules. */
export function randomRules(dice: Dice, place: RulePlace, most: number): Fields[] {
  return Array.from({ length: dice.below(most + 1) }, () => randomRule(dice, place));
}

export function randomRule(dice: Dice, place: RulePlace): Fields {
  const rule: Fields = {
    actions: Array.from({ length: 1 + dice.below(dice.chance(0.2) ? 4 : 2) }, () => randomAction(dice, place)),
  };
  if (place === 'route') {
    if (dice.chance(0.35)) rule['stage'] = dice.pick([0, 0, 1, 1, 2, 10]);
    if (dice.chance(0.1)) rule['disable_key'] = dice.pick(['off', 'on', 'none']);
  }
  if (dice.chance(0.12)) rule['apply_on_stream_done'] = true;
  if (dice.chance(0.15)) rule['limit'] = randomOverride(dice);
  if (dice.chance(0.25)) rule['hits_addend'] = randomHits(dice, rule['apply_on_stream_done'] === true);
  if (dice.chance(0.15)) rule['x_ratelimit_option'] = dice.pick(['DRAFT_VERSION_03', 'OFF', 'UNSPECIFIED']);
  return rule;
}

function randomOverride(dice: Dice): Fields {
  if (dice.chance(0.5))
    return {
      rate_limit: {
        requests_per_unit: dice.pick([0, 1, 42, 4_294_967_295]),
        unit: dice.pick(['SECOND', 'MINUTE', 'HOUR', 'DAY', 'MONTH', 'YEAR', 'UNKNOWN']),
      },
    };
  return { dynamic_metadata: { metadata_key: randomMetadataKey(dice) } };
}

function randomHits(dice: Dice, atEnd: boolean): Fields {
  const hits: Fields = dice.chance(0.4)
    ? { number: dice.pick([0, 1, 7, 1_000_000_000]) }
    : { format: dice.pick(atEnd ? endHitFormats : hitFormats) };
  if (dice.chance(0.2)) hits['is_negative_hits'] = true;
  return hits;
}

function randomMetadataKey(dice: Dice): Fields {
  const path = dice.pick([
    ['text'],
    ['text'],
    ['number'],
    ['limit'],
    ['limit'],
    ['deep', 'text'],
    ['deep', 'limit'],
    ['deep', 'none'],
    ['none'],
    ['empty'],
    ['list'],
    ['flag'],
  ]);
  return { key: dice.pick(metadataSpaces), path: path.map((key) => ({ key })) };
}

function randomAction(dice: Dice, place: RulePlace): Fields {
  const key = dice.pick(keys);
  const skip = dice.chance(0.5) ? { skip_if_absent: true } : {};
  const optionalKey = dice.chance(0.5) ? { descriptor_key: key } : {};
  const value = { descriptor_value: dice.pick(values), ...(dice.chance(0.3) ? { default_value: 'other' } : {}) };
  const expect = dice.chance(0.3) ? { expect_match: dice.chance(0.4) } : {};
  switch (dice.below(20)) {
    case 0:
      return { source_cluster: {} };
    case 1:
      return { destination_cluster: {} };
    case 2:
      return { remote_address: {} };
    case 3:
      return {
        masked_remote_address: {
          ...(dice.chance(0.7) ? { v4_prefix_mask_len: dice.below(33) } : {}),
          ...(dice.chance(0.7) ? { v6_prefix_mask_len: dice.below(129) } : {}),
        },
      };
    case 4:
    case 5:
    case 6:
      return { request_headers: { header_name: dice.pick(headerNames), descriptor_key: key, ...skip } };
    case 7:
    case 8:
      return { query_parameters: { query_parameter_name: dice.pick(parameterNames), descriptor_key: key, ...skip } };
    case 9:
    case 10:
      return {
        header_value_match: {
          ...optionalKey,
          ...value,
          ...expect,
          headers: [randomHeaderMatcher(dice), ...(dice.chance(0.2) ? [randomHeaderMatcher(dice)] : [])],
        },
      };
    case 11:
    case 12:
      return {
        query_parameter_value_match: {
          ...optionalKey,
          ...value,
          ...expect,
          query_parameters: [randomQueryMatcher(dice), ...(dice.chance(0.2) ? [randomQueryMatcher(dice)] : [])],
        },
      };
    case 13:
      return {
        metadata: {
          descriptor_key: key,
          metadata_key: randomMetadataKey(dice),
          ...(dice.chance(0.3) ? { default_value: 'dflt' } : {}),
          ...(dice.chance(0.5) ? { source: 'ROUTE_ENTRY' } : {}),
          ...skip,
        },
      };
    case 14:
      // Deprecated: rules of filters may not have it.
      if (place === 'filter') return { source_cluster: {} };
      return {
        dynamic_metadata: {
          descriptor_key: key,
          metadata_key: randomMetadataKey(dice),
          ...(dice.chance(0.3) ? { default_value: 'dflt' } : {}),
        },
      };
    case 15:
      return {
        remote_address_match: {
          ...optionalKey,
          ...value,
          address_matcher: {
            ranges: [randomRange(dice), ...(dice.chance(0.3) ? [randomRange(dice)] : [])],
            ...(dice.chance(0.3) ? { invert_match: true } : {}),
          },
        },
      };
    case 16:
      return {
        extension: {
          name: 'e',
          typed_config: {
            '@type': 'type.googleapis.com/envoy.extensions.rate_limit_descriptors.expr.v3.Descriptor',
            descriptor_key: key,
            text: dice.pick(expressions),
            ...(dice.chance(0.5) ? { skip_if_error: true } : {}),
          },
        },
      };
    default:
      return { generic_key: { ...optionalKey, ...value } };
  }
}

function randomRange(dice: Dice): Fields {
  return dice.pick([
    { address_prefix: '127.0.0.0', prefix_len: 8 },
    { address_prefix: '10.0.0.0', prefix_len: 8 },
    { address_prefix: '8.8.8.8', prefix_len: 32 },
    { address_prefix: '0.0.0.0', prefix_len: 0 },
    { address_prefix: '2001:db8::', prefix_len: 32 },
    { address_prefix: '::', prefix_len: 0 },
  ]);
}

/** A StringMatcher. */
function randomText(dice: Dice): Fields {
  const ignoring = dice.chance(0.2) ? { ignore_case: true } : {};
  switch (dice.below(6)) {
    case 0:
      return { prefix: dice.pick(['v', '1', 'a']), ...ignoring };
    case 1:
      return { suffix: dice.pick(['a', '1']), ...ignoring };
    case 2:
      return { contains: dice.pick(['a', ',', '%']), ...ignoring };
    case 3:
      return { safe_regex: { regex: dice.pick(['[a-z]+', 'v.*', '.*', '\\d+', '']) || '.' } };
    default:
      return { exact: dice.pick(['va', 'VA', '1', 'va,vb', 'a b', 'ü', '']), ...ignoring };
  }
}

function randomHeaderMatcher(dice: Dice): Fields {
  const matcher: Fields = { name: dice.pick(headerNames) };
  const kind = dice.below(5);
  if (kind === 0) matcher['present_match'] = dice.chance(0.7);
  else if (kind === 1) matcher['range_match'] = { start: -1, end: 5 };
  else if (kind !== 2 || dice.chance(0.8)) matcher['string_match'] = randomText(dice);
  if (dice.chance(0.2)) matcher['invert_match'] = true;
  if (dice.chance(0.15)) matcher['treat_missing_header_as_empty'] = true;
  return matcher;
}

function randomQueryMatcher(dice: Dice): Fields {
  const name = dice.pick(parameterNames);
  const kind = dice.below(5);
  if (kind === 0) return { name };
  return kind === 1 ? { name, present_match: dice.chance(0.7) } : { name, string_match: randomText(dice) };
}
