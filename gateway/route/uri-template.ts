import { ConfigError } from '#gateway/config/diagnostics.ts';
import { compileRegex, type Regex } from '#gateway/config/matcher/regex.ts';

/** Octets that a path segment may hold. RFC 3986 section 3.3. */
const SEGMENT = "[a-zA-Z0-9\\-._~%!$&'()+,;:@=]+";
const VARIABLE = /^[a-zA-Z][a-zA-Z0-9_]{0,15}$/;
const LITERAL = /^[a-zA-Z0-9\-._~%!$&'()+,;:@=]+$/;
const MAX_VARIABLES = 5;

/**
 * A compiled URI template such as `/a/{name}/{rest=**}`: an asterisk is one segment, two are the rest of the path. Envoy's
 * uri_template path matcher.
 */
export class UriTemplate {
  readonly text: string;
  /** Variable names in the order of their groups. */
  readonly variables: readonly string[];
  readonly #regex: Regex;

  constructor(text: string) {
    this.text = text;
    const variables: string[] = [];
    this.#regex = compileRegex(`^${templateRegex(text, variables)}$`);
    this.variables = variables;
  }

  /** `bare`: the path without its query. */
  matches(bare: string): boolean {
    return this.#regex.matchesAll(bare);
  }

  /** The values of the variables in `bare`, which matches, put into a rewrite. */
  rewrite(bare: string, rewrite: UriTemplateRewrite): string {
    return this.#regex.replaceAll(bare, rewrite.substitution);
  }
}

/** A rewrite template, `/x/{rest}/{name}`, for the variables of a match template. */
export class UriTemplateRewrite {
  readonly substitution: readonly (string | number)[];

  /** Throws ConfigError when it is malformed or names a variable that `template` has not. */
  constructor(text: string, template: UriTemplate) {
    if (!text.startsWith('/')) throw new ConfigError('', `invalid rewrite pattern '${text}': it must begin with /`);
    const parts: (string | number)[] = [];
    let at = 0;
    for (const match of text.matchAll(/\{([^{}]*)\}/g)) {
      const name = match[1]!;
      const group = template.variables.indexOf(name);
      if (group === -1) throw new ConfigError('', `variable '${name}' is not in the path template '${template.text}'`);
      parts.push(text.slice(at, match.index), group + 1);
      at = match.index + match[0].length;
    }
    parts.push(text.slice(at));
    if (parts.some((part) => typeof part === 'string' && /[{}*]|\/\//.test(part)))
      throw new ConfigError('', `invalid rewrite pattern '${text}'`);
    this.substitution = parts;
  }
}

function templateRegex(text: string, variables: string[]): string {
  const invalid = (why: string): ConfigError => new ConfigError('', `invalid path template '${text}': ${why}`);
  if (!text.startsWith('/')) throw invalid('it must begin with /');
  let open = true; // nothing may follow `**` but a literal suffix
  const segments = splitSegments(text.slice(1)).map((segment) => {
    const part = /^\{([^=}]*)(?:=(.*))?\}(.*)$/.exec(segment);
    if (!open && (segment === '*' || segment === '**' || part !== null))
      throw invalid('nothing but literals may follow **');
    if (segment === '**') open = false;
    if (part === null) return segmentRegex(segment, invalid);
    const [, name, pattern, suffix] = part as unknown as [string, string, string | undefined, string];
    if (!VARIABLE.test(name)) throw invalid(`'${name}' is no variable name`);
    if (variables.includes(name)) throw invalid(`variable '${name}' is repeated`);
    if (variables.push(name) > MAX_VARIABLES) throw invalid(`more than ${MAX_VARIABLES} variables`);
    const inner = (pattern ?? '*').split('/').map((one) => {
      if (one === '**') open = false;
      return segmentRegex(one, invalid);
    });
    return `(${inner.join('/')})${suffix === '' ? '' : segmentRegex(suffix, invalid)}`;
  });
  return `/${segments.join('/')}`;
}

/** Splits at slashes that are not within braces. */
function splitSegments(text: string): string[] {
  const segments: string[] = [];
  let depth = 0;
  let segment = '';
  for (const c of text) {
    if (c === '{') depth++;
    if (c === '}') depth--;
    if (c === '/' && depth === 0) {
      segments.push(segment);
      segment = '';
    } else {
      segment += c;
    }
  }
  segments.push(segment);
  return segments;
}

function segmentRegex(segment: string, invalid: (why: string) => ConfigError): string {
  if (segment === '*') return SEGMENT;
  if (segment === '**') return '.*';
  if (segment !== '' && !LITERAL.test(segment)) throw invalid(`'${segment}' cannot stand in a path`);
  return segment.replace(/[.$()+]/g, '\\$&');
}
