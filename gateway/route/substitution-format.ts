import { Buffer } from 'node:buffer';
import type { Formatter } from '#gateway/api/access-log.ts';
import type { ServerContext } from '#gateway/api/context.ts';
import type { JsonValue } from '#gateway/api/stream-info.ts';
import { ConfigError, type Diagnostics } from '#gateway/config/diagnostics.ts';
import { compileFormat } from '#gateway/formatter/compile-format.ts';
import { compileJsonFormat } from '#gateway/formatter/compile-json-format.ts';
import { checkFormatters } from '#gateway/formatter/substitution-format.ts';
import type { SubstitutionFormatString } from '#proto-types/envoy/config/core/v3/substitution_format_string_pb.ts';

/** A compiled body format. What it makes are octets as latin-1 text. */
export interface BodyFormat {
  readonly format: Formatter;
  /** '' when none is configured: text/plain, or application/json for JSON. */
  readonly contentType: string;
  readonly json: boolean;
}

/** Compiles a SubstitutionFormatString for a body. Throws ConfigError with a path relative to it. */
export function compileBodyFormat(
  message: SubstitutionFormatString,
  server: ServerContext,
  diagnostics: Diagnostics,
): BodyFormat {
  const { contentType, omitEmptyValues: omitEmpty, format } = message;
  checkFormatters(message, diagnostics);
  switch (format.case) {
    case 'textFormat':
      return text(format.value, omitEmpty, contentType, 'text_format');
    case 'textFormatSource': {
      const octets = server.readDataSource(format.value, diagnostics.at('text_format_source'));
      return octetsFormat(octets ?? new Uint8Array(0), omitEmpty, contentType);
    }
    case 'jsonFormat': {
      // Envoy writes the members by name.
      const options = { omitEmpty, sortProperties: true };
      const json = compileJsonFormat(format.value as { [key: string]: JsonValue }, options);
      return { format: json, contentType, json: true };
    }
    default:
      throw new ConfigError('', 'a format needs text_format, text_format_source or json_format');
  }
}

function text(source: string, omitEmpty: boolean, contentType: string, path: string): BodyFormat {
  try {
    return { format: compileFormat(source, omitEmpty), contentType, json: false };
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError(path, error.problem);
    throw error;
  }
}

/** A source that is not UTF-8 text (an image) has no commands: it stands as it is. */
function octetsFormat(octets: Uint8Array, omitEmpty: boolean, contentType: string): BodyFormat {
  const source = Buffer.from(octets).toString('utf8');
  if (Buffer.from(source, 'utf8').equals(octets)) return text(source, omitEmpty, contentType, 'text_format_source');
  const constant = Buffer.from(octets).toString('latin1');
  return { format: { format: () => constant }, contentType, json: false };
}

/** The UTF-8 octets of `source`, one character each. */
export function latin1OfUtf8(source: string): string {
  return Buffer.from(source, 'utf8').toString('latin1');
}
