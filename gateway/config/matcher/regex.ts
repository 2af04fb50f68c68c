import { RE2JS } from 're2js';
import { ConfigError } from '../diagnostics.ts';
import { isLinearNative } from './native-regex.ts';

/** A compiled regular expression of the configuration, in RE2's syntax. Takes time linear in the text. */
export interface Regex {
  readonly pattern: string;
  /** Whether the whole of `text` matches, as Envoy's `safe_regex` everywhere. */
  matchesAll(text: string): boolean;
  /** Replaces every match; `substitution` is RE2's, with `\0` to `\9`. */
  replaceAll(text: string, substitution: Substitution): string;
}

/** A parsed RE2 substitution: literal texts and group numbers, in order. */
export type Substitution = readonly (string | number)[];

/**
 * Compiles a pattern. Throws ConfigError, with an empty path, when RE2 would refuse it.
 * Patterns that RegExp provably matches in linear time run natively.
 */
export function compileRegex(pattern: string): Regex {
  let re2: RE2JS;
  try {
    re2 = RE2JS.compile(pattern);
  } catch (error) {
    throw new ConfigError('', `invalid regular expression '${pattern}': ${(error as Error).message}`);
  }
  return isLinearNative(pattern) ? new NativeRegex(pattern, re2) : new Re2Regex(pattern, re2);
}

/** Parses `\1`, `\\` and plain text. Throws ConfigError on any other escape. */
export function parseSubstitution(text: string): Substitution {
  const parts: (string | number)[] = [];
  let literal = '';
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c !== '\\') {
      literal += c;
      continue;
    }
    const next = text[++i];
    if (next === '\\') {
      literal += '\\';
    } else if (next !== undefined && next >= '0' && next <= '9') {
      if (literal !== '') parts.push(literal);
      literal = '';
      parts.push(next.charCodeAt(0) - 0x30);
    } else {
      throw new ConfigError(
        '',
        `invalid substitution '${text}': a backslash must be followed by a digit or a backslash`,
      );
    }
  }
  if (literal !== '') parts.push(literal);
  return parts;
}

function expand(groups: readonly unknown[], substitution: Substitution): string {
  let text = '';
  for (const part of substitution)
    text += typeof part === 'string' ? part : ((groups[part] as string | undefined) ?? '');
  return text;
}

class NativeRegex implements Regex {
  readonly pattern: string;
  readonly #whole: RegExp;
  /** Null: a repetition is tried anew at every place of the text, which RegExp does in quadratic time. */
  readonly #global: RegExp | null;
  readonly #re2: RE2JS;

  constructor(pattern: string, re2: RE2JS) {
    this.pattern = pattern;
    this.#re2 = re2;
    this.#whole = new RegExp(`^(?:${pattern})$`);
    const bounded = !/[*+]/.test(pattern) || (pattern.startsWith('^') && !pattern.includes('|'));
    this.#global = bounded ? new RegExp(pattern, 'g') : null;
  }

  matchesAll(text: string): boolean {
    return this.#whole.test(text);
  }

  replaceAll(text: string, substitution: Substitution): string {
    const write = (...groups: unknown[]): string => expand(groups, substitution);
    return this.#global === null ? this.#re2.matcher(text).replaceAll(write) : text.replace(this.#global, write);
  }
}

class Re2Regex implements Regex {
  readonly pattern: string;
  readonly #re2: RE2JS;

  constructor(pattern: string, re2: RE2JS) {
    this.pattern = pattern;
    this.#re2 = re2;
  }

  matchesAll(text: string): boolean {
    return this.#re2.testExact(text);
  }

  replaceAll(text: string, substitution: Substitution): string {
    return this.#re2.matcher(text).replaceAll((...groups: unknown[]) => expand(groups, substitution));
  }
}
