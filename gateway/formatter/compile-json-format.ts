import type { Formatter, FormatterContext } from '#gateway/api/access-log.ts';
import type { JsonValue } from '#gateway/api/stream-info.ts';
import { octetText } from '#gateway/base/octet-text.ts';
import { ConfigError, joinPath } from '#gateway/config/diagnostics.ts';
import { compileParts } from './compile-format.ts';
import type { Provider } from './provider.ts';

/** Appends a JSON value to `out`; answers null where it is to be left out. */
type Writer = (context: FormatterContext) => string | null;

/** How JSON formats behave. */
export interface JsonFormatOptions {
  readonly omitEmpty: boolean;
  readonly sortProperties: boolean;
}

function constant(value: JsonValue): Writer {
  const text = JSON.stringify(value);
  return () => text;
}

function compileText(format: string, options: JsonFormatOptions): Writer {
  const parts = compileParts(format);
  const first = parts[0];
  if (first === undefined) return constant('');
  if (parts.length === 1) return typeof first === 'string' ? constant(first) : compileSingle(first, options);
  const absent = options.omitEmpty ? '' : '-';
  return (context) => {
    let out = '';
    for (const part of parts) out += typeof part === 'string' ? part : (part.text(context) ?? absent);
    return JSON.stringify(out);
  };
}

/** One operator alone keeps the type of its value. */
function compileSingle(provider: Provider, options: JsonFormatOptions): Writer {
  return (context) => {
    const value = provider.value(context);
    if (value === null) return options.omitEmpty ? null : 'null';
    if (typeof value === 'number') return String(value);
    return typeof value === 'string' ? JSON.stringify(value) : octetText(JSON.stringify(value));
  };
}

function compileValue(value: JsonValue, path: string, options: JsonFormatOptions): Writer {
  if (typeof value === 'string') {
    try {
      return compileText(value, options);
    } catch (error) {
      if (error instanceof ConfigError)
        throw new ConfigError(joinPath(path, error.path), error.problem, error.suggestion);
      throw error;
    }
  }
  if (value === null || typeof value !== 'object') return constant(value);
  if (Array.isArray(value)) {
    const items = value.map((item, i) => compileValue(item, joinPath(path, `[${i}]`), options));
    return (context) => {
      let out = '';
      for (const item of items) {
        const text = item(context);
        if (text !== null) out += out === '' ? text : `,${text}`;
      }
      return `[${out}]`;
    };
  }
  return compileStruct(value, path, options);
}

function compileStruct(
  struct: { readonly [key: string]: JsonValue },
  path: string,
  options: JsonFormatOptions,
): Writer {
  const keys = Object.keys(struct);
  if (options.sortProperties) keys.sort();
  const fields = keys.map((key) => ({
    key: octetText(`${JSON.stringify(key)}:`),
    write: compileValue(struct[key]!, joinPath(path, key), options),
  }));
  return (context) => {
    let out = '';
    for (const field of fields) {
      const text = field.write(context);
      if (text !== null) out += out === '' ? field.key + text : `,${field.key}${text}`;
    }
    return `{${out}}`;
  };
}

/**
 * Compiles a `json_format`: a JSON object a line, whose texts hold command operators. An operator alone gives a value of
 * its own type, null when absent; with `omitEmpty` its key is left out. Throws ConfigError with the path inside the struct.
 */
export function compileJsonFormat(
  struct: { readonly [key: string]: JsonValue },
  options: JsonFormatOptions = { omitEmpty: false, sortProperties: false },
): Formatter {
  const write = compileStruct(struct, '', options);
  return { format: (context) => `${write(context)}\n` };
}
