import type { LogSink } from '#gateway/base/log.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { LogSettings } from '../config/settings-log.ts';

/** The log's lines: `[time][level][component] message`, or JSON with the fields that the reference service has. */
export function createLogLines(
  format: LogSettings['LOG_FORMAT'],
  clock: Clock,
  write: (line: string) => void,
): LogSink {
  const time = (): string => new Date(clock.wallMs()).toISOString();
  if (format === 'text') {
    return { write: (level, component, message) => write(`[${time()}][${level}][${component}] ${message}\n`) };
  }
  return {
    write: (level, component, message) => {
      const name = level === 'critical' ? 'fatal' : level;
      write(`${JSON.stringify({ '@message': message, '@timestamp': time(), level: name, logger: component })}\n`);
    },
  };
}
