import type { AccessLogExtension } from '#gateway/api/extension.ts';
import { fileAccessLog } from './file.ts';
import { stderrAccessLog, stdoutAccessLog } from './stream.ts';

/** All access loggers. */
export const accessLogExtensions: readonly AccessLogExtension[] = [fileAccessLog, stdoutAccessLog, stderrAccessLog];
