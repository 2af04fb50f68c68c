import type { AccessLogger, FormatterContext } from '#gateway/api/access-log.ts';
import type { ServerContext } from '#gateway/api/context.ts';
import type { AccessLogExtension } from '#gateway/api/extension.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { typeNameOf, unpackAny } from '#gateway/proto/registry.ts';
import type { AccessLog } from '#proto-types/envoy/config/accesslog/v3/accesslog_pb.ts';
import { type AccessLogFilter, compileAccessLogFilter } from './filter.ts';

class FilteredLogger implements AccessLogger {
  readonly #accepts: AccessLogFilter;
  readonly #logger: AccessLogger;

  constructor(accepts: AccessLogFilter, logger: AccessLogger) {
    this.#accepts = accepts;
    this.#logger = logger;
  }

  log(context: FormatterContext): void {
    if (this.#accepts(context)) this.#logger.log(context);
  }
}

/** Logs nothing: stands for a logger whose configuration was refused. */
const silentLogger: AccessLogger = { log: () => {} };

/** Builds a logger from an envoy.config.accesslog.v3.AccessLog. Problems go to `diagnostics`; the answer then logs nothing. */
export function buildAccessLogger(
  message: AccessLog,
  extensions: readonly AccessLogExtension[],
  server: ServerContext,
  diagnostics: Diagnostics,
): AccessLogger {
  const typed = message.configType.case === 'typedConfig' ? message.configType.value : undefined;
  const type = typed === undefined ? '' : typeNameOf(typed);
  const extension = extensions.find((known) => (type === '' ? known.name === message.name : known.configType === type));
  if (extension === undefined || typed === undefined) {
    diagnostics.error('typed_config', `access log '${message.name}' (${type}) is not supported yet`);
    return silentLogger;
  }
  const filter = message.filter;
  const accepts =
    filter === undefined ? null : diagnostics.at('filter').try(() => compileAccessLogFilter(filter, server));
  const logger = extension.createLogger(unpackAny(typed), server, diagnostics.at('typed_config'));
  if (logger === null || accepts === undefined) return silentLogger;
  return accepts === null ? logger : new FilteredLogger(accepts, logger);
}
