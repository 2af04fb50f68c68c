import type { Formatter, FormatterContext } from '#gateway/api/access-log.ts';
import { nearestName } from '#gateway/base/nearest-name.ts';
import { ConfigError } from '#gateway/config/diagnostics.ts';
import { operators } from './operators.ts';
import { type FormatCommand, parseFormat } from './parse-format.ts';
import type { Provider } from './provider.ts';

/** Envoy's access log format where none is configured. */
export const defaultAccessLogFormat: string =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" ' +
  '"%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n';

/** Cuts texts to a length. */
function limited(provider: Provider, maxLength: number): Provider {
  const cut = (text: string): string => (text.length > maxLength ? text.slice(0, maxLength) : text);
  return {
    text(context) {
      const text = provider.text(context);
      return text === null ? null : cut(text);
    },
    value(context) {
      const value = provider.value(context);
      return typeof value === 'string' ? cut(value) : value;
    },
  };
}

/** Compiles one command. Throws ConfigError naming the operator. */
function compileCommand(command: FormatCommand): Provider {
  const { name, params, maxLength } = command;
  const operator = operators.get(name);
  if (operator === undefined) {
    const near = nearestName(name, operators.keys());
    throw new ConfigError('', `unknown command operator %${name}%`, near === null ? null : `%${near}%`);
  }
  if (params !== null && operator.params === 'none') {
    throw new ConfigError('', `command operator %${name}% takes no parameters`);
  }
  if ((params ?? '') === '' && operator.params === 'required') {
    throw new ConfigError('', `command operator %${name}% needs parameters`);
  }
  if (maxLength !== null && !operator.length) {
    throw new ConfigError('', `command operator %${name}% takes no length`);
  }
  const provider = operator.compile(params ?? '', name);
  return maxLength === null ? provider : limited(provider, maxLength);
}

/** A format text compiled to literal texts and providers. */
export function compileParts(format: string): (string | Provider)[] {
  return parseFormat(format).map((part) => (typeof part === 'string' ? part : compileCommand(part)));
}

class TextFormatter implements Formatter {
  readonly #parts: readonly (string | Provider)[];
  readonly #absent: string;

  constructor(parts: readonly (string | Provider)[], absent: string) {
    this.#parts = parts;
    this.#absent = absent;
  }

  format(context: FormatterContext): string {
    const parts = this.#parts;
    let out = '';
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i]!;
      out += typeof part === 'string' ? part : (part.text(context) ?? this.#absent);
    }
    return out;
  }
}

class ConstantFormatter implements Formatter {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  format(): string {
    return this.#text;
  }
}

/**
 * Compiles a text with Envoy's command operators. What is absent is written `-`, or nothing with `omitEmpty`.
 * What it formats is octet text, one character an octet: write it as latin-1.
 * Throws ConfigError (empty path) naming an operator that is unknown, malformed or not supported.
 */
export function compileFormat(format: string, omitEmpty = false): Formatter {
  const parts = compileParts(format);
  const first = parts[0];
  if (first === undefined) return new ConstantFormatter('');
  if (parts.length === 1 && typeof first === 'string') return new ConstantFormatter(first);
  return new TextFormatter(parts, omitEmpty ? '' : '-');
}
