import { octetText } from '#gateway/base/octet-text.ts';
import { ConfigError, joinPath } from '#gateway/config/diagnostics.ts';
import { compileStringMatcher, type StringPredicate } from '#gateway/config/matcher/string-matcher.ts';
import { percentDecode } from '#gateway/protocol/headers/percent-encoding.ts';
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

/** The same percent-decoded, name and value, as rate limit actions see it: what is no valid escape stays, and so does `+`. */
export function decodedQueryParameter(path: string, name: string): string | null {
  const query = path.indexOf('?') + 1;
  if (query === 0 || !path.includes('%', query)) return queryParameter(path, name);
  const fragment = path.indexOf('#', query);
  const stop = fragment === -1 ? path.length : fragment;
  for (let at = query; at < stop; ) {
    const ampersand = path.indexOf('&', at);
    const end = ampersand === -1 || ampersand > stop ? stop : ampersand;
    const equals = path.indexOf('=', at);
    const nameEnd = equals === -1 || equals > end ? end : equals;
    if (percentDecode(path.slice(at, nameEnd)) === name) return percentDecode(path.slice(nameEnd + 1, end));
    at = end + 1;
  }
  return null;
}

/** A compiled QueryParameterMatcher. */
export interface QueryPredicate {
  matches(path: string): boolean;
}

type ReadParameter = typeof queryParameter;

class ParameterMatcher implements QueryPredicate {
  readonly #read: ReadParameter;
  readonly #name: string;
  readonly #value: StringPredicate | null;
  readonly #present: boolean;

  constructor(read: ReadParameter, name: string, value: StringPredicate | null, present: boolean) {
    this.#read = read;
    this.#name = octetText(name);
    this.#value = value;
    this.#present = present;
  }

  matches(path: string): boolean {
    const value = this.#read(path, this.#name);
    if (this.#value === null) return (value !== null) === this.#present;
    return value !== null && this.#value.matches(value);
  }
}

/**
 * Compiles a list of query parameter matchers, which look at parameters as `read` finds them. Throws ConfigError with a path
 * that begins with `path`.
 */
export function compileQueryMatchers(
  messages: readonly QueryParameterMatcher[],
  path: string,
  read: ReadParameter = queryParameter,
): readonly QueryPredicate[] {
  return messages.map(({ name, queryParameterMatchSpecifier: specifier }, i) => {
    if (specifier.case !== 'stringMatch') return new ParameterMatcher(read, name, null, specifier.value ?? true);
    try {
      return new ParameterMatcher(read, name, compileStringMatcher(specifier.value, true), true);
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
