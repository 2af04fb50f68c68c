import type { LogFile } from '#gateway/api/access-log.ts';
import type { ServerContext } from '#gateway/api/context.ts';
import type { AccessLogExtension } from '#gateway/api/extension.ts';
import type {
  StderrAccessLog,
  StdoutAccessLog,
} from '#proto-types/envoy/extensions/access_loggers/stream/v3/stream_pb.ts';
import { compileLineFormat } from './line-format.ts';
import { LineLogger } from './line-logger.ts';

function streamAccessLog(
  stream: 'stdout' | 'stderr',
  message: string,
  fileOf: (server: ServerContext) => LogFile,
): AccessLogExtension {
  return {
    name: `envoy.access_loggers.${stream}`,
    configType: `envoy.extensions.access_loggers.stream.v3.${message}`,
    createLogger(config, server, diagnostics) {
      const { accessLogFormat } = config as StdoutAccessLog | StderrAccessLog;
      const formatter = compileLineFormat(accessLogFormat, server, diagnostics);
      return formatter === null ? null : new LineLogger(formatter, fileOf(server));
    },
  };
}

/** Access log to standard output. */
export const stdoutAccessLog: AccessLogExtension = streamAccessLog('stdout', 'StdoutAccessLog', (server) =>
  server.logFiles.stdout(),
);

/** Access log to standard error. */
export const stderrAccessLog: AccessLogExtension = streamAccessLog('stderr', 'StderrAccessLog', (server) =>
  server.logFiles.stderr(),
);
