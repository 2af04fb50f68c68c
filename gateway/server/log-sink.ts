import type { LogLevel, LogSink } from '#gateway/base/log.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { LogLine } from './log-format.ts';

/** Where the server's own log goes. */
export interface LogOutput {
  /** Writes one line, ending in a newline. */
  write(text: string): void;
}

/** The server's own log: formats a line at once and hands it to an output. */
export class ServerLogSink implements LogSink {
  readonly #format: (line: LogLine) => string;
  readonly #output: LogOutput;
  readonly #clock: Clock;
  readonly #processId: number;
  readonly #escape: boolean;

  constructor(
    format: (line: LogLine) => string,
    output: LogOutput,
    clock: Clock,
    processId: number,
    escapeLines: boolean,
  ) {
    this.#format = format;
    this.#output = output;
    this.#clock = clock;
    this.#processId = processId;
    this.#escape = escapeLines;
  }

  write(level: LogLevel, component: string, message: string): void {
    const shown = this.#escape ? message.replace(/\n/g, '\\n').replace(/\r/g, '\\r') : message;
    this.#output.write(
      this.#format({ wallMs: this.#clock.wallMs(), level, component, message: shown, processId: this.#processId }),
    );
  }
}
