import type { Message } from '@bufbuild/protobuf';
import type { Formatter } from '#gateway/api/access-log.ts';
import type { JsonValue } from '#gateway/api/stream-info.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { typeNameOf } from '#gateway/proto/registry.ts';
import type { SubstitutionFormatString } from '#proto-types/envoy/config/core/v3/substitution_format_string_pb.ts';
import { compileFormat } from './compile-format.ts';
import { compileJsonFormat } from './compile-json-format.ts';

/** Reads a config.core.v3.DataSource message; null when it cannot (the reason is noted in `diagnostics`). */
export type DataSourceReader = (config: Message, diagnostics: Diagnostics) => Uint8Array | null;

/** Formatter extensions whose operators are always there. */
const formatterTypes: ReadonlySet<string> = new Set([
  'envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery',
  'envoy.extensions.formatter.metadata.v3.Metadata',
]);

/** Refuses `formatters` that are not served; problems go to `diagnostics`, relative to the message. */
export function checkFormatters({ formatters }: SubstitutionFormatString, diagnostics: Diagnostics): void {
  for (const [i, { name, typedConfig }] of formatters.entries()) {
    const type = typedConfig === undefined ? '' : typeNameOf(typedConfig);
    if (!formatterTypes.has(type)) {
      diagnostics.error(`formatters[${i}]`, `formatter '${name}' (${type}) is not supported yet`);
    }
  }
}

/**
 * Compiles an envoy.config.core.v3.SubstitutionFormatString. Problems go to `diagnostics`, whose paths are relative to the
 * message; the answer is then null. JSON formats end in a newline, texts as they are written.
 */
export function compileSubstitutionFormat(
  message: SubstitutionFormatString,
  diagnostics: Diagnostics,
  readDataSource: DataSourceReader,
): Formatter | null {
  const { format, omitEmptyValues } = message;
  checkFormatters(message, diagnostics);
  switch (format.case) {
    case 'textFormat':
      return diagnostics.at('text_format').try(() => compileFormat(format.value, omitEmptyValues)) ?? null;
    case 'textFormatSource': {
      const at = diagnostics.at('text_format_source');
      const octets = readDataSource(format.value, at);
      if (octets === null) return null;
      return at.try(() => compileFormat(new TextDecoder().decode(octets), omitEmptyValues)) ?? null;
    }
    case 'jsonFormat': {
      const options = { omitEmpty: omitEmptyValues, sortProperties: true };
      const struct = format.value as { readonly [key: string]: JsonValue };
      return diagnostics.at('json_format').try(() => compileJsonFormat(struct, options)) ?? null;
    }
    default:
      diagnostics.error('', 'one of text_format, text_format_source, json_format is required');
      return null;
  }
}
