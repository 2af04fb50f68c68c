import type { AccessLogExtension } from '#gateway/api/extension.ts';
import type { FileAccessLog } from '#proto-types/envoy/extensions/access_loggers/file/v3/file_pb.ts';
import { compileLineFormat } from './line-format.ts';
import { LineLogger } from './line-logger.ts';

/** Access log to a file. */
export const fileAccessLog: AccessLogExtension = {
  name: 'envoy.access_loggers.file',
  configType: 'envoy.extensions.access_loggers.file.v3.FileAccessLog',
  createLogger(config, server, diagnostics) {
    const { path, accessLogFormat } = config as FileAccessLog;
    const formatter = compileLineFormat(accessLogFormat, server, diagnostics);
    if (formatter === null) return null;
    try {
      return new LineLogger(formatter, server.logFiles.open(path));
    } catch (error) {
      diagnostics.error('path', `cannot open '${path}': ${error instanceof Error ? error.message : String(error)}`);
      return null;
    }
  },
};
