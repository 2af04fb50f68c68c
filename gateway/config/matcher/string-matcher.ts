import { octetText } from '#gateway/base/octet-text.ts';
import type { StringMatcher } from '#proto-types/envoy/type/matcher/v3/string_pb.ts';
import { ConfigError } from '../diagnostics.ts';
import { compileRegex } from './regex.ts';

/** Judges one string. A compiled envoy.type.matcher.v3.StringMatcher. */
export interface StringPredicate {
  matches(text: string): boolean;
}

/** Judges one string with a plain function. */
class TestedString implements StringPredicate {
  readonly matches: (text: string) => boolean;

  constructor(test: (text: string) => boolean) {
    this.matches = test;
  }
}

/**
 * Compiles a StringMatcher; `ofOctets`: for what stands in octet text, as headers and paths do. Throws ConfigError with a path
 * relative to the message.
 */
export function compileStringMatcher(message: StringMatcher, ofOctets = false): StringPredicate {
  const { matchPattern, ignoreCase } = message;
  const compare = (wanted: string, test: (text: string, wanted: string) => boolean): StringPredicate =>
    new TestedString(comparison(ofOctets ? octetText(wanted) : wanted, ignoreCase, test));
  switch (matchPattern.case) {
    case 'exact':
      return compare(matchPattern.value, (text, wanted) => text === wanted);
    case 'prefix':
      return compare(matchPattern.value, (text, wanted) => text.startsWith(wanted));
    case 'suffix':
      return compare(matchPattern.value, (text, wanted) => text.endsWith(wanted));
    case 'contains':
      return compare(matchPattern.value, (text, wanted) => text.includes(wanted));
    case 'safeRegex': {
      if (ignoreCase) throw new ConfigError('ignore_case', 'ignore_case has no effect for safe_regex');
      return regexPredicate(matchPattern.value.regex, 'safe_regex.regex');
    }
    default:
      throw new ConfigError(matchPattern.case ?? '', 'a string matcher of this kind is not supported yet');
  }
}

/** A predicate for a whole-text regular expression; `path` is where a bad pattern is reported. */
export function regexPredicate(pattern: string, path: string): StringPredicate {
  try {
    const regex = compileRegex(pattern);
    return new TestedString((text) => regex.matchesAll(text));
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError(path, error.problem);
    throw error;
  }
}

function comparison(
  wanted: string,
  ignoreCase: boolean,
  test: (text: string, wanted: string) => boolean,
): (text: string) => boolean {
  if (!ignoreCase) return (text) => test(text, wanted);
  const lower = wanted.toLowerCase();
  return (text) => test(text.toLowerCase(), lower);
}
