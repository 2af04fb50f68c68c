import type { Formatter } from '#gateway/api/access-log.ts';
import type { ServerContext } from '#gateway/api/context.ts';
import type { JsonValue } from '#gateway/api/stream-info.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { compileFormat, defaultAccessLogFormat } from '#gateway/formatter/compile-format.ts';
import { compileJsonFormat } from '#gateway/formatter/compile-json-format.ts';
import { compileSubstitutionFormat } from '#gateway/formatter/substitution-format.ts';
import type { FileAccessLog } from '#proto-types/envoy/extensions/access_loggers/file/v3/file_pb.ts';

/** Compiles the format of a file or stream access log; Envoy's default format when none is said. Null: see `diagnostics`. */
export function compileLineFormat(
  choice: FileAccessLog['accessLogFormat'],
  server: Pick<ServerContext, 'readDataSource'>,
  diagnostics: Diagnostics,
): Formatter | null {
  const options = { omitEmpty: false, sortProperties: true };
  switch (choice.case) {
    case 'logFormat':
      return compileSubstitutionFormat(choice.value, diagnostics.at('log_format'), (source, at) =>
        server.readDataSource(source, at),
      );
    case 'format':
      if (choice.value === '') return compileFormat(defaultAccessLogFormat);
      return diagnostics.at('format').try(() => compileFormat(choice.value)) ?? null;
    case 'jsonFormat':
    case 'typedJsonFormat': {
      const field = choice.case === 'jsonFormat' ? 'json_format' : 'typed_json_format';
      const struct = choice.value as { readonly [key: string]: JsonValue };
      return diagnostics.at(field).try(() => compileJsonFormat(struct, options)) ?? null;
    }
    default:
      return compileFormat(defaultAccessLogFormat);
  }
}
