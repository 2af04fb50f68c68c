import type { AccessLogger, Formatter, FormatterContext, LogFile } from '#gateway/api/access-log.ts';

/** Writes one formatted text a stream to a log file. */
export class LineLogger implements AccessLogger {
  readonly #formatter: Formatter;
  readonly #file: LogFile;

  constructor(formatter: Formatter, file: LogFile) {
    this.#formatter = formatter;
    this.#file = file;
  }

  log(context: FormatterContext): void {
    this.#file.write(this.#formatter.format(context));
  }
}
