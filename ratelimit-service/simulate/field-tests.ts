import { RE2JS } from 're2js';
import type { HeaderMatcher, QueryParameterMatcher } from '#proto-types/envoy/config/route/v3/route_components_pb.ts';
import type { StringMatcher } from '#proto-types/envoy/type/matcher/v3/string_pb.ts';
import type { FieldTest } from './descriptor-spec.ts';
import { SimulationError } from './simulation-error.ts';

type TextTest = (text: string) => boolean;

/** Envoy's header matcher as a test of the log's field. Throws {@link SimulationError}. */
export function headerTest(matcher: HeaderMatcher): FieldTest {
  const { headerMatchSpecifier: specifier, invertMatch, treatMissingHeaderAsEmpty } = matcher;
  const text = `%REQ(${matcher.name})%`;
  if (specifier.case === undefined || specifier.case === 'presentMatch') {
    const wanted = (specifier.value ?? true) !== invertMatch;
    return { text, matches: (value) => (value !== null || treatMissingHeaderAsEmpty) === wanted };
  }
  const test = headerText(matcher);
  return {
    text,
    // A missing header matches no value, inverted or not, unless it counts as empty.
    matches: (value) => (value !== null || treatMissingHeaderAsEmpty) && test(value ?? '') !== invertMatch,
  };
}

function headerText({ headerMatchSpecifier: specifier, name }: HeaderMatcher): TextTest {
  switch (specifier.case) {
    case 'exactMatch':
      return (text) => text === specifier.value;
    case 'prefixMatch':
      return (text) => text.startsWith(specifier.value);
    case 'suffixMatch':
      return (text) => text.endsWith(specifier.value);
    case 'containsMatch':
      return (text) => text.includes(specifier.value);
    case 'safeRegexMatch':
      return regexTest(specifier.value.regex);
    case 'rangeMatch': {
      const { start, end } = specifier.value;
      return (text) => /^[+-]?[0-9]{1,19}$/.test(text) && BigInt(text) >= start && BigInt(text) < end;
    }
    case 'stringMatch':
      return stringTest(specifier.value);
    default:
      throw new SimulationError(`the matcher of header ${name} is of a kind that a log cannot answer`);
  }
}

/** Envoy's query parameter matcher as a test of the log's field. Throws {@link SimulationError}. */
export function parameterTest({ name, queryParameterMatchSpecifier: specifier }: QueryParameterMatcher): FieldTest {
  const text = `%DECODED_QUERY_PARAM(${name})%`;
  if (specifier.case === 'stringMatch') {
    const test = stringTest(specifier.value);
    return { text, matches: (value) => value !== null && test(value) };
  }
  const wanted = specifier.value ?? true;
  return { text, matches: (value) => (value !== null) === wanted };
}

function stringTest({ matchPattern: pattern, ignoreCase }: StringMatcher): TextTest {
  const fold = (text: string): string => (ignoreCase ? text.toLowerCase() : text);
  if (pattern.case === 'safeRegex') return regexTest(pattern.value.regex);
  if (pattern.case === undefined || pattern.case === 'custom') {
    throw new SimulationError('a string matcher is of a kind that a log cannot answer');
  }
  const wanted = fold(pattern.value);
  switch (pattern.case) {
    case 'exact':
      return (text) => fold(text) === wanted;
    case 'prefix':
      return (text) => fold(text).startsWith(wanted);
    case 'suffix':
      return (text) => fold(text).endsWith(wanted);
    case 'contains':
      return (text) => fold(text).includes(wanted);
  }
}

function regexTest(pattern: string): TextTest {
  try {
    const regex = RE2JS.compile(pattern);
    return (text) => regex.matches(text);
  } catch (error) {
    throw new SimulationError(`the regular expression '${pattern}' is refused: ${(error as Error).message}`);
  }
}
