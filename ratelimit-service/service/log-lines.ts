import type { LogSink } from '#gateway/base/log.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { LogSettings } from '../config/settings-log.ts';

/**
 * The log's lines: `[time][level][component] message`, or JSON with the fields that the reference service has.
 * As text, no message can look like another one or steer a terminal: some of them quote what a peer has sent.
 */
export function createLogLines(
  format: LogSettings['LOG_FORMAT'],
  clock: Clock,
  write: (line: string) => void,
): LogSink {
  const time = (): string => new Date(clock.wallMs()).toISOString();
  if (format === 'text') {
    return {
      write: (level, component, message) => write(`[${time()}][${level}][${component}] ${harmless(message)}\n`),
    };
  }
  return {
    write: (level, component, message) => {
      const name = level === 'critical' ? 'fatal' : level;
      write(`${JSON.stringify({ '@message': message, '@timestamp': time(), level: name, logger: component })}\n`);
    },
  };
}

/** What no line may hold; a tab may. */
const control = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]/g;

/** Lines after the first are indented, so that none begins as a message does. */
function harmless(message: string): string {
  return message
    .replace(control, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
    .replaceAll('\n', '\n  ');
}
