import type { FormatterContext } from '#gateway/api/access-log.ts';
import type { JsonValue } from '#gateway/api/stream-info.ts';
import { octetText } from '#gateway/base/octet-text.ts';
import { ConfigError } from '#gateway/config/diagnostics.ts';

/** A compiled command operator: what it says about a stream. Pure. */
export interface Provider {
  /** Null: there is nothing to say; shown as `-`, or as nothing. */
  text(context: FormatterContext): string | null;
  /** The same as a JSON value with its own type. */
  value(context: FormatterContext): JsonValue;
}

/** How an operator may be written, and what it compiles to. */
export interface Operator {
  readonly params: 'none' | 'required' | 'optional';
  /** Whether `:Z` may follow. */
  readonly length: boolean;
  /** `params` is '' when there were none. Throws ConfigError when they make no sense. */
  compile(params: string, name: string): Provider;
}

/** Operators by name. */
export type OperatorTable = { readonly [name: string]: Operator };

/** A provider of texts. */
export function textProvider(get: (context: FormatterContext) => string | null): Provider {
  return { text: get, value: get };
}

/** A provider of numbers; null or NaN: none. */
export function numberProvider(get: (context: FormatterContext) => number | null): Provider {
  return {
    text(context) {
      const value = get(context);
      return value === null || Number.isNaN(value) ? null : String(value);
    },
    value(context) {
      const value = get(context);
      return value === null || Number.isNaN(value) ? null : value;
    },
  };
}

/** A provider of JSON values; texts stand without quotes when they are the whole. */
export function jsonProvider(get: (context: FormatterContext) => JsonValue | undefined): Provider {
  return {
    text(context) {
      const value = get(context);
      if (value === undefined || value === null) return null;
      return octetText(typeof value === 'string' ? value : JSON.stringify(value));
    },
    value: (context) => get(context) ?? null,
  };
}

/** An operator without parameters that says a text. Empty texts count as none. */
export function plainText(get: (context: FormatterContext) => string | null | undefined): Operator {
  const provider = textProvider((context) => {
    const text = get(context);
    return text === undefined || text === '' ? null : text;
  });
  return { params: 'none', length: false, compile: () => provider };
}

/** An operator without parameters that says a number. */
export function plainNumber(get: (context: FormatterContext) => number | null): Operator {
  const provider = numberProvider(get);
  return { params: 'none', length: false, compile: () => provider };
}

/** An operator of Envoy's that is not served; `reason` follows its name. */
export function refusedOperator(reason: string): Operator {
  return {
    params: 'optional',
    length: true,
    compile(_params, name): never {
      throw new ConfigError('', `command operator %${name}% is not supported: ${reason}`);
    },
  };
}
