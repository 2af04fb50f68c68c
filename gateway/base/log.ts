/** Severities, in Envoy's words and order. */
export const logLevels = ['trace', 'debug', 'info', 'warning', 'error', 'critical', 'off'] as const;
/** @see logLevels */
export type LogLevel = (typeof logLevels)[number];

/** Where finished log lines go. */
export interface LogSink {
  write(level: LogLevel, component: string, message: string): void;
}

/**
 * One component's logger. Test `debugOn` (or `traceOn`) before building a message, so that nothing is built when the level
 * is off. Messages never hold secrets or request bodies.
 */
export class Logger {
  readonly component: string;
  readonly #sink: LogSink;
  level: LogLevel;
  traceOn = false;
  debugOn = false;

  constructor(component: string, sink: LogSink, level: LogLevel) {
    this.component = component;
    this.#sink = sink;
    this.level = level;
    this.setLevel(level);
  }

  /** Changes the level at once: POST /logging. */
  setLevel(level: LogLevel): void {
    this.level = level;
    const rank = logLevels.indexOf(level);
    this.traceOn = rank <= 0;
    this.debugOn = rank <= 1;
  }

  trace(message: string): void {
    this.#log('trace', message);
  }
  debug(message: string): void {
    this.#log('debug', message);
  }
  info(message: string): void {
    this.#log('info', message);
  }
  warning(message: string): void {
    this.#log('warning', message);
  }
  error(message: string): void {
    this.#log('error', message);
  }
  critical(message: string): void {
    this.#log('critical', message);
  }

  #log(level: LogLevel, message: string): void {
    if (logLevels.indexOf(level) >= logLevels.indexOf(this.level)) this.#sink.write(level, this.component, message);
  }
}

/** All loggers of the process, one a component (Envoy's ids: `http`, `router`, `upstream`, `config`, ...). */
export class LogRegistry {
  readonly #sink: LogSink;
  readonly #loggers = new Map<string, Logger>();
  #level: LogLevel;

  constructor(sink: LogSink, level: LogLevel = 'info') {
    this.#sink = sink;
    this.#level = level;
  }

  /** The logger of a component, made on first use at the current default level. */
  get(component: string): Logger {
    let logger = this.#loggers.get(component);
    if (logger === undefined) {
      logger = new Logger(component, this.#sink, this.#level);
      this.#loggers.set(component, logger);
    }
    return logger;
  }

  /** Sets every logger's level, present and future. */
  setAll(level: LogLevel): void {
    this.#level = level;
    for (const logger of this.#loggers.values()) logger.setLevel(level);
  }

  /** All loggers made so far, by name. */
  all(): Logger[] {
    return [...this.#loggers.values()].sort((a, b) => (a.component < b.component ? -1 : 1));
  }
}
