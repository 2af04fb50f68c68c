import type { JsonValue } from '#gateway/api/stream-info.ts';
import type { MetadataMatcher } from '#proto-types/envoy/type/matcher/v3/metadata_pb.ts';
import type { ValueMatcher } from '#proto-types/envoy/type/matcher/v3/value_pb.ts';
import { ConfigError } from '../diagnostics.ts';
import { compileStringMatcher } from './string-matcher.ts';

/** Judges a JSON value; `undefined` is "not there". A compiled envoy.type.matcher.v3.ValueMatcher. */
export interface ValuePredicate {
  matches(value: JsonValue | undefined): boolean;
}

/** Compiles a ValueMatcher. Throws ConfigError with a path relative to the message. */
export function compileValueMatcher(message: ValueMatcher): ValuePredicate {
  const { matchPattern } = message;
  switch (matchPattern.case) {
    case 'nullMatch':
      return { matches: (value) => value === null };
    case 'boolMatch':
      return { matches: (value) => value === matchPattern.value };
    case 'presentMatch':
      return { matches: (value) => (value !== undefined && value !== null) === matchPattern.value };
    case 'doubleMatch': {
      const { matchPattern: pattern } = matchPattern.value;
      if (pattern.case === 'exact') return { matches: (value) => value === pattern.value };
      const start = pattern.value?.start ?? 0;
      const end = pattern.value?.end ?? 0;
      return { matches: (value) => typeof value === 'number' && value >= start && value < end };
    }
    case 'stringMatch': {
      const text = compileStringMatcher(matchPattern.value);
      return { matches: (value) => typeof value === 'string' && text.matches(value) };
    }
    case 'listMatch': {
      const { matchPattern: pattern } = matchPattern.value;
      if (pattern.case === undefined) throw new ConfigError('list_match', 'one_of is required');
      const one = compileValueMatcher(pattern.value);
      return { matches: (value) => Array.isArray(value) && value.some((item) => one.matches(item)) };
    }
    case 'orMatch': {
      const any = matchPattern.value.valueMatchers.map(compileValueMatcher);
      return { matches: (value) => any.some((matcher) => matcher.matches(value)) };
    }
    default:
      throw new ConfigError('', 'a value matcher needs a pattern');
  }
}

/** Metadata by namespace, as plain objects or as a stream's map. */
export type MetadataSource =
  | ReadonlyMap<string, { readonly [key: string]: JsonValue }>
  | { readonly [namespace: string]: { readonly [key: string]: JsonValue } };

/** The value at `path` in `namespace` of `metadata`, or undefined. */
export function metadataValue(
  metadata: MetadataSource | null,
  namespace: string,
  path: readonly string[],
): JsonValue | undefined {
  if (metadata === null) return undefined;
  let value: JsonValue | undefined = (
    metadata instanceof Map ? metadata.get(namespace) : (metadata as Record<string, JsonValue>)[namespace]
  ) as JsonValue | undefined;
  for (const key of path) {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return undefined;
    value = value[key];
  }
  return value;
}

/** Judges the metadata of a stream. A compiled envoy.type.matcher.v3.MetadataMatcher. */
export interface MetadataPredicate {
  matches(metadata: MetadataSource | null): boolean;
}

/** Compiles a MetadataMatcher. Throws ConfigError with a path relative to the message. */
export function compileMetadataMatcher(message: MetadataMatcher): MetadataPredicate {
  if (message.value === undefined) throw new ConfigError('value', 'value is required');
  const value = compileValueMatcher(message.value);
  const path = message.path.map(({ segment }) => segment.value ?? '');
  const { filter, invert } = message;
  return { matches: (metadata) => value.matches(metadataValue(metadata, filter, path)) !== invert };
}
