import type { HeaderPredicate } from '#gateway/api/route.ts';
import type { HeaderMatcher } from '#proto-types/envoy/config/route/v3/route_components_pb.ts';
import { ConfigError, joinPath } from '../diagnostics.ts';
import { compileStringMatcher, regexPredicate, type StringPredicate } from './string-matcher.ts';

/** Anything that headers can be read from by lower-case name: heads, header maps with `getJoined`. */
export interface HeaderSource {
  get(name: string): string | null;
}

/**
 * Compiles a HeaderMatcher. Repeated headers are judged joined by commas; pseudo-headers by their name with a colon. Throws
 * ConfigError with a path relative to the message.
 */
export function compileHeaderMatcher(message: HeaderMatcher): HeaderPredicate {
  const name = message.name.toLowerCase();
  const { headerMatchSpecifier: specifier, invertMatch } = message;
  if (specifier.case === undefined) return new PresentHeader(name, true, invertMatch);
  if (specifier.case === 'presentMatch') {
    return message.treatMissingHeaderAsEmpty
      ? new ValueHeader(name, { matches: () => true }, invertMatch !== !specifier.value, true)
      : new PresentHeader(name, specifier.value, invertMatch);
  }
  return new ValueHeader(name, valuePredicate(message), invertMatch, message.treatMissingHeaderAsEmpty);
}

/** Compiles a list; all of them must match. */
export function compileHeaderMatchers(messages: readonly HeaderMatcher[], path: string): readonly HeaderPredicate[] {
  return messages.map((message, i) => {
    try {
      return compileHeaderMatcher(message);
    } catch (error) {
      if (error instanceof ConfigError) throw new ConfigError(joinPath(`${path}[${i}]`, error.path), error.problem);
      throw error;
    }
  });
}

/** Whether every predicate matches; true for none. */
export function allHeadersMatch(predicates: readonly HeaderPredicate[], head: HeaderSource): boolean {
  for (let i = 0; i < predicates.length; i++) if (!predicates[i]!.matches(head)) return false;
  return true;
}

function valuePredicate(message: HeaderMatcher): StringPredicate {
  const { headerMatchSpecifier: specifier } = message;
  switch (specifier.case) {
    case 'exactMatch':
      return { matches: (text) => text === specifier.value };
    case 'prefixMatch':
      return { matches: (text) => text.startsWith(specifier.value) };
    case 'suffixMatch':
      return { matches: (text) => text.endsWith(specifier.value) };
    case 'containsMatch':
      return { matches: (text) => text.includes(specifier.value) };
    case 'safeRegexMatch':
      return regexPredicate(specifier.value.regex, 'safe_regex_match.regex');
    case 'rangeMatch': {
      const { start, end } = specifier.value;
      return { matches: (text) => /^[+-]?\d{1,19}$/.test(text) && BigInt(text) >= start && BigInt(text) < end };
    }
    case 'stringMatch':
      try {
        return compileStringMatcher(specifier.value);
      } catch (error) {
        if (error instanceof ConfigError) throw new ConfigError(joinPath('string_match', error.path), error.problem);
        throw error;
      }
    default:
      throw new ConfigError('', 'a header matcher of this kind is not supported yet');
  }
}

class PresentHeader implements HeaderPredicate {
  readonly #name: string;
  readonly #wanted: boolean;

  constructor(name: string, present: boolean, invert: boolean) {
    this.#name = name;
    this.#wanted = present !== invert;
  }

  matches(head: HeaderSource): boolean {
    return (head.get(this.#name) !== null) === this.#wanted;
  }
}

/** A missing header never matches a value, inverted or not, unless it counts as empty. */
class ValueHeader implements HeaderPredicate {
  readonly #name: string;
  readonly #value: StringPredicate;
  readonly #invert: boolean;
  readonly #missingIsEmpty: boolean;

  constructor(name: string, value: StringPredicate, invert: boolean, missingIsEmpty: boolean) {
    this.#name = name;
    this.#value = value;
    this.#invert = invert;
    this.#missingIsEmpty = missingIsEmpty;
  }

  matches(head: HeaderSource): boolean {
    const text = head.get(this.#name) ?? (this.#missingIsEmpty ? '' : null);
    if (text === null) return false;
    return this.#value.matches(text) !== this.#invert;
  }
}
