import { ConfigError } from '#gateway/config/diagnostics.ts';
import { compileRegex, type Regex } from '#gateway/config/matcher/regex.ts';
import { unpackAnyAs } from '#gateway/proto/registry.ts';
import type { RouteMatch } from '#proto-types/envoy/config/route/v3/route_components_pb.ts';
import type { UriTemplateMatchConfig } from '#proto-types/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb.ts';
import { atPath } from './compile-context.ts';
import { UriTemplate } from './uri-template.ts';

const TEMPLATE_MATCH = 'envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig';

/** How a route matches the path. `connect` matches the CONNECT method instead. */
export type PathMatchKind = 'prefix' | 'path' | 'separated_prefix' | 'regex' | 'connect' | 'template';

/** A compiled path specifier. `bare` is always the path without query and fragment. */
export interface PathMatcher {
  readonly kind: PathMatchKind;
  /** The prefix, path or pattern as configured. */
  readonly text: string;
  matches(bare: string, method: string): boolean;
  /** How much of `bare`, which matched, is what a prefix rewrite replaces. */
  matchedLength(bare: string): number;
}

class PrefixMatcher implements PathMatcher {
  readonly kind = 'prefix';
  readonly text: string;
  readonly #caseSensitive: boolean;

  constructor(text: string, caseSensitive: boolean) {
    this.text = text;
    this.#caseSensitive = caseSensitive;
  }

  matches(bare: string): boolean {
    if (this.#caseSensitive) return bare.startsWith(this.text);
    return bare.slice(0, this.text.length).toLowerCase() === this.text.toLowerCase();
  }

  matchedLength(): number {
    return this.text.length;
  }
}

class ExactMatcher implements PathMatcher {
  readonly kind = 'path';
  readonly text: string;
  readonly #caseSensitive: boolean;

  constructor(text: string, caseSensitive: boolean) {
    this.text = text;
    this.#caseSensitive = caseSensitive;
  }

  matches(bare: string): boolean {
    if (this.#caseSensitive) return bare === this.text;
    return bare.length === this.text.length && bare.toLowerCase() === this.text.toLowerCase();
  }

  matchedLength(): number {
    return this.text.length;
  }
}

class SeparatedPrefixMatcher implements PathMatcher {
  readonly kind = 'separated_prefix';
  readonly text: string;
  readonly #caseSensitive: boolean;

  constructor(text: string, caseSensitive: boolean) {
    this.text = text;
    this.#caseSensitive = caseSensitive;
  }

  matches(bare: string): boolean {
    const { length } = this.text;
    if (bare.length > length && bare.charCodeAt(length) !== 0x2f) return false;
    if (this.#caseSensitive) return bare.startsWith(this.text);
    return bare.slice(0, length).toLowerCase() === this.text.toLowerCase();
  }

  matchedLength(): number {
    return this.text.length;
  }
}

/** A URI template; see `uri-template.ts`. */
export class TemplateMatcher implements PathMatcher {
  readonly kind = 'template';
  readonly text: string;
  readonly template: UriTemplate;

  constructor(template: UriTemplate) {
    this.text = template.text;
    this.template = template;
  }

  matches(bare: string, method: string): boolean {
    return method !== 'CONNECT' && this.template.matches(bare);
  }

  matchedLength(bare: string): number {
    return bare.length;
  }
}

class RegexMatcher implements PathMatcher {
  readonly kind = 'regex';
  readonly text: string;
  readonly #regex: Regex;

  constructor(regex: Regex) {
    this.text = regex.pattern;
    this.#regex = regex;
  }

  matches(bare: string, method: string): boolean {
    return method !== 'CONNECT' && this.#regex.matchesAll(bare);
  }

  matchedLength(bare: string): number {
    return bare.length;
  }
}

const connectMatcher: PathMatcher = {
  kind: 'connect',
  text: '',
  matches: (_bare, method) => method === 'CONNECT',
  matchedLength: () => 0,
};

/** Compiles the path specifier of a route. Throws ConfigError with a path relative to the RouteMatch. */
export function compilePathMatcher(match: RouteMatch): PathMatcher {
  const { pathSpecifier } = match;
  const caseSensitive = match.caseSensitive ?? true;
  switch (pathSpecifier.case) {
    case 'prefix':
      return new PrefixMatcher(pathSpecifier.value, caseSensitive);
    case 'path':
      return new ExactMatcher(pathSpecifier.value, caseSensitive);
    case 'pathSeparatedPrefix':
      return new SeparatedPrefixMatcher(pathSpecifier.value, caseSensitive);
    case 'connectMatcher':
      return connectMatcher;
    case 'safeRegex':
      try {
        return new RegexMatcher(compileRegex(pathSpecifier.value.regex));
      } catch (error) {
        if (error instanceof ConfigError) throw new ConfigError('safe_regex.regex', error.problem);
        throw error;
      }
    case 'pathMatchPolicy': {
      const config = unpackAnyAs<UriTemplateMatchConfig>(pathSpecifier.value.typedConfig, TEMPLATE_MATCH);
      if (config === null)
        throw new ConfigError('path_match_policy.typed_config', 'only uri_template is supported yet');
      return atPath('path_match_policy.typed_config.path_template', () => {
        return new TemplateMatcher(new UriTemplate(config.pathTemplate));
      });
    }
    default:
      throw new ConfigError('', 'a route must match on a prefix, path, safe_regex, path_separated_prefix or CONNECT');
  }
}

/** The path without its query and fragment. */
export function barePath(path: string): string {
  let end = path.length;
  const query = path.indexOf('?');
  if (query !== -1) end = query;
  const fragment = path.indexOf('#');
  if (fragment !== -1 && fragment < end) end = fragment;
  return end === path.length ? path : path.slice(0, end);
}
