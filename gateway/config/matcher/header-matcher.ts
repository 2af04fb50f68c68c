import type { HeaderPredicate } from '#gateway/api/route.ts';
import { octetText } from '#gateway/base/octet-text.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { singleEntryNames } from '#gateway/protocol/headers/single-entry-names.ts';
import type { HeaderMatcher } from '#proto-types/envoy/config/route/v3/route_components_pb.ts';
import { ConfigError, joinPath } from '../diagnostics.ts';
import { compileStringMatcher, regexPredicate, type StringPredicate } from './string-matcher.ts';

type Head = RequestHead | ResponseHead;

/**
 * Compiles a HeaderMatcher. Of a repeated header one value that fits is enough, except of those that are kept as one entry
 * joined by commas; pseudo-headers go by their name with a colon. Throws ConfigError with a path relative to the message.
 */
export function compileHeaderMatcher(message: HeaderMatcher): HeaderPredicate {
  const name = message.name.toLowerCase();
  const { headerMatchSpecifier: specifier, invertMatch } = message;
  if (specifier.case === undefined || specifier.case === 'presentMatch') {
    const present = specifier.value ?? true;
    return message.treatMissingHeaderAsEmpty
      ? new ValueHeader(name, { matches: () => true }, invertMatch !== !present, true)
      : new PresentHeader(name, present, invertMatch);
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
export function allHeadersMatch(predicates: readonly HeaderPredicate[], head: Head): boolean {
  for (let i = 0; i < predicates.length; i++) if (!predicates[i]!.matches(head)) return false;
  return true;
}

function valuePredicate(message: HeaderMatcher): StringPredicate {
  const { headerMatchSpecifier: specifier } = message;
  switch (specifier.case) {
    case 'exactMatch':
    case 'prefixMatch':
    case 'suffixMatch':
    case 'containsMatch':
      return deprecatedMatch(specifier.case, octetText(specifier.value));
    case 'safeRegexMatch':
      return regexPredicate(specifier.value.regex, 'safe_regex_match.regex');
    case 'rangeMatch': {
      const { start, end } = specifier.value;
      return { matches: (text) => /^[+-]?\d{1,19}$/.test(text) && BigInt(text) >= start && BigInt(text) < end };
    }
    case 'stringMatch':
      try {
        return compileStringMatcher(specifier.value, true);
      } catch (error) {
        if (error instanceof ConfigError) throw new ConfigError(joinPath('string_match', error.path), error.problem);
        throw error;
      }
    default:
      throw new ConfigError('', 'a header matcher of this kind is not supported yet');
  }
}

function deprecatedMatch(
  kind: 'exactMatch' | 'prefixMatch' | 'suffixMatch' | 'containsMatch',
  wanted: string,
): StringPredicate {
  if (kind === 'exactMatch') return { matches: (text) => text === wanted };
  if (kind === 'prefixMatch') return { matches: (text) => text.startsWith(wanted) };
  if (kind === 'suffixMatch') return { matches: (text) => text.endsWith(wanted) };
  return { matches: (text) => text.includes(wanted) };
}

class PresentHeader implements HeaderPredicate {
  readonly #name: string;
  readonly #wanted: boolean;

  constructor(name: string, present: boolean, invert: boolean) {
    this.#name = name;
    this.#wanted = present !== invert;
  }

  matches(head: Head): boolean {
    return (head.get(this.#name) !== null) === this.#wanted;
  }
}

/** A missing header never matches a value, inverted or not, unless it counts as empty. */
class ValueHeader implements HeaderPredicate {
  readonly #name: string;
  readonly #value: StringPredicate;
  readonly #invert: boolean;
  readonly #missingIsEmpty: boolean;
  /** It never has more than one value. */
  readonly #single: boolean;

  constructor(name: string, value: StringPredicate, invert: boolean, missingIsEmpty: boolean) {
    this.#name = name;
    this.#value = value;
    this.#invert = invert;
    this.#missingIsEmpty = missingIsEmpty;
    this.#single = name.startsWith(':') || name === 'host' || singleEntryNames.has(name);
  }

  matches(head: Head): boolean {
    const text = head.get(this.#name) ?? (this.#missingIsEmpty ? '' : null);
    if (text === null) return false;
    return this.#fits(text, head) !== this.#invert;
  }
  /** Only a text with a comma can be more than one value. */
  #fits(joined: string, head: Head): boolean {
    if (this.#single || !joined.includes(',')) return this.#value.matches(joined);
    const { entries } = head.headers;
    for (let i = 0; i < entries.length; i += 2)
      if (entries[i] === this.#name && this.#value.matches(entries[i + 1]!)) return true;
    return false;
  }
}
