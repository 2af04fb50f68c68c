import { ConfigError } from '#gateway/config/diagnostics.ts';
import { compileRegex, parseSubstitution, type Regex, type Substitution } from '#gateway/config/matcher/regex.ts';
import type { RegexMatchAndSubstitute } from '#proto-types/envoy/type/matcher/v3/regex_pb.ts';
import { barePath, type PathMatcher } from './path-matcher.ts';

/** Makes a new path (query kept) from a request's path. */
export interface PathRewrite {
  rewrite(path: string): string;
}

/** A compiled RegexMatchAndSubstitute. */
export class RegexRewrite {
  readonly #regex: Regex;
  readonly #substitution: Substitution;

  constructor(regex: Regex, substitution: Substitution) {
    this.#regex = regex;
    this.#substitution = substitution;
  }

  /** Replaces every match in `text`. */
  apply(text: string): string {
    return this.#regex.replaceAll(text, this.#substitution);
  }
}

/** Compiles a RegexMatchAndSubstitute. Throws ConfigError with a path that begins with `path`. */
export function compileRegexRewrite(message: RegexMatchAndSubstitute, path: string): RegexRewrite {
  const field = (name: string, body: () => RegexRewrite): RegexRewrite => {
    try {
      return body();
    } catch (error) {
      if (error instanceof ConfigError) throw new ConfigError(`${path}.${name}`, error.problem);
      throw error;
    }
  };
  return field('pattern.regex', () => {
    const regex = compileRegex(message.pattern?.regex ?? '');
    return field('substitution', () => new RegexRewrite(regex, parseSubstitution(message.substitution)));
  });
}

/** Replaces what the route matched with `prefix`. */
export function prefixRewrite(matcher: PathMatcher, prefix: string): PathRewrite {
  return {
    rewrite(path) {
      const length = matcher.matchedLength(barePath(path));
      return prefix + path.slice(length);
    },
  };
}

/** Replaces matches in the path without its query. */
export function regexPathRewrite(rewrite: RegexRewrite): PathRewrite {
  return {
    rewrite(path) {
      const bare = barePath(path);
      return rewrite.apply(bare) + path.slice(bare.length);
    },
  };
}
