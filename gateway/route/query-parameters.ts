import { ConfigError, joinPath } from '#gateway/config/diagnostics.ts';
import { compileStringMatcher, type StringPredicate } from '#gateway/config/matcher/string-matcher.ts';
import type { QueryParameterMatcher } from '#proto-types/envoy/config/route/v3/route_components_pb.ts';

/** The first value of query parameter `name` of `path`, as it stands there (not percent-decoded), or null. */
export function queryParameter(path: string, name: string): string | null {
  let at = path.indexOf('?') + 1;
  if (at === 0) return null;
  const fragment = path.indexOf('#', at);
  const stop = fragment === -1 ? path.length : fragment;
  while (at < stop) {
    let end = path.indexOf('&', at);
    if (end === -1 || end > stop) end = stop;
    const equals = path.indexOf('=', at);
    const nameEnd = equals === -1 || equals > end ? end : equals;
    if (nameEnd - at === name.length && path.startsWith(name, at)) {
      return nameEnd === end ? '' : path.slice(nameEnd + 1, end);
    }
    at = end + 1;
  }
  return null;
}

/** A compiled QueryParameterMatcher. */
export interface QueryPredicate {
  matches(path: string): boolean;
}

class ParameterMatcher implements QueryPredicate {
  readonly #name: string;
  readonly #value: StringPredicate | null;
  readonly #present: boolean;

  constructor(name: string, value: StringPredicate | null, present: boolean) {
    this.#name = name;
    this.#value = value;
    this.#present = present;
  }

  matches(path: string): boolean {
    const value = queryParameter(path, this.#name);
    if (this.#value === null) return (value !== null) === this.#present;
    return value !== null && this.#value.matches(value);
  }
}

/** Compiles a list of query parameter matchers. Throws ConfigError with a path that begins with `path`. */
export function compileQueryMatchers(
  messages: readonly QueryParameterMatcher[],
  path: string,
): readonly QueryPredicate[] {
  return messages.map(({ name, queryParameterMatchSpecifier: specifier }, i) => {
    if (specifier.case !== 'stringMatch') return new ParameterMatcher(name, null, specifier.value ?? true);
    try {
      return new ParameterMatcher(name, compileStringMatcher(specifier.value), true);
    } catch (error) {
      if (error instanceof ConfigError)
        throw new ConfigError(joinPath(`${path}[${i}].string_match`, error.path), error.problem);
      throw error;
    }
  });
}

/** Whether all of them match; true for none. */
export function allParametersMatch(predicates: readonly QueryPredicate[], path: string): boolean {
  for (let i = 0; i < predicates.length; i++) if (!predicates[i]!.matches(path)) return false;
  return true;
}
