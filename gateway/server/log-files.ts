import type { LogFile, LogFiles } from '#gateway/api/access-log.ts';
import type { Logger } from '#gateway/base/log.ts';
import { AppendFile } from '#gateway/runtime/append-file.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import type { Counter, Gauge, Scope } from '#gateway/stats/stats.ts';

/** Octets that may wait for a slow disk or reader; lines beyond are dropped and counted as failed. */
const maxPendingOctets = 16 * 1024 * 1024;

/** When waiting lines are written. */
export interface LogFlushOptions {
  /** The longest a line waits, milliseconds. */
  readonly intervalMs: number;
  /** So many octets are written without waiting. */
  readonly minOctets: number;
  /** True: no file is opened and nothing is written; for checking a configuration. */
  readonly dry?: boolean;
}

/** Takes lines and forgets them. */
const nowhere: LogFile = { write: () => {} };

/** `filesystem.*` of Envoy. */
interface FileStats {
  readonly writeBuffered: Counter;
  readonly writeCompleted: Counter;
  readonly writeFailed: Counter;
  readonly flushedByTimer: Counter;
  readonly reopenFailed: Counter;
  readonly writeTotalBuffered: Gauge;
}

/** Lines wait in one string and go out in one write; while a write is under way the next lines gather. */
class BufferedLogFile implements LogFile, TimerTarget {
  readonly #file: AppendFile;
  readonly #stats: FileStats;
  readonly #options: LogFlushOptions;
  readonly #timer: Timer;
  readonly #log: Logger;
  #waiting = '';
  #writing = false;
  #idle: (() => void) | null = null;

  constructor(file: AppendFile, stats: FileStats, options: LogFlushOptions, timers: Timers, log: Logger) {
    this.#file = file;
    this.#stats = stats;
    this.#options = options;
    this.#timer = timers.create(this);
    this.#log = log;
  }

  write(line: string): void {
    if (this.#waiting.length + line.length > maxPendingOctets) {
      this.#stats.writeFailed.inc();
      return;
    }
    this.#stats.writeBuffered.inc();
    this.#stats.writeTotalBuffered.inc(line.length);
    this.#waiting += line;
    if (this.#writing) return;
    if (this.#waiting.length >= this.#options.minOctets) this.#flush();
    else if (!this.#timer.enabled) this.#timer.enable(this.#options.intervalMs);
  }

  onTimer(): void {
    this.#stats.flushedByTimer.inc();
    this.#flush();
  }

  /** Opens the path anew; on failure the old file stays in use. */
  reopen(): void {
    try {
      this.#file.reopen();
    } catch (error) {
      this.#stats.reopenFailed.inc();
      this.#log.error(`cannot reopen a log file: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Writes what waits; `done` is called when everything is written. */
  drain(done: () => void): void {
    this.#idle = done;
    if (!this.#writing) this.#flush();
  }

  #flush(): void {
    this.#timer.disable();
    const text = this.#waiting;
    if (text === '') {
      const idle = this.#idle;
      this.#idle = null;
      idle?.();
      return;
    }
    this.#waiting = '';
    this.#writing = true;
    this.#file.append(text, (error) => {
      this.#writing = false;
      this.#stats.writeTotalBuffered.dec(text.length);
      (error === null ? this.#stats.writeCompleted : this.#stats.writeFailed).inc();
      if (this.#idle !== null || this.#waiting.length >= this.#options.minOctets) this.#flush();
      else if (this.#waiting !== '') this.#timer.enable(this.#options.intervalMs);
    });
  }
}

/** All access log files of the process, opened once a path. */
export class ServerLogFiles implements LogFiles {
  readonly #files = new Map<string, BufferedLogFile>();
  readonly #stats: FileStats;
  readonly #options: LogFlushOptions;
  readonly #timers: Timers;
  readonly #log: Logger;
  readonly #reopenOwn: () => void;

  /** `reopenOwn` reopens the server's own log with the others. */
  constructor(scope: Scope, options: LogFlushOptions, timers: Timers, log: Logger, reopenOwn: () => void = () => {}) {
    this.#reopenOwn = reopenOwn;
    this.#options = options;
    this.#timers = timers;
    this.#log = log;
    this.#stats = {
      writeBuffered: scope.counter('filesystem.write_buffered'),
      writeCompleted: scope.counter('filesystem.write_completed'),
      writeFailed: scope.counter('filesystem.write_failed'),
      flushedByTimer: scope.counter('filesystem.flushed_by_timer'),
      reopenFailed: scope.counter('filesystem.reopen_failed'),
      writeTotalBuffered: scope.gauge('filesystem.write_total_buffered'),
    };
  }

  open(path: string): LogFile {
    if (this.#options.dry === true) return nowhere;
    let file = this.#files.get(path);
    if (file === undefined) {
      file = new BufferedLogFile(new AppendFile(path), this.#stats, this.#options, this.#timers, this.#log);
      this.#files.set(path, file);
    }
    return file;
  }

  stdout(): LogFile {
    return this.open('/dev/stdout');
  }

  stderr(): LogFile {
    return this.open('/dev/stderr');
  }

  reopen(): void {
    this.#reopenOwn();
    for (const file of this.#files.values()) file.reopen();
  }

  /** Writes everything that waits, then calls `done`. */
  drain(done: () => void): void {
    let left = this.#files.size;
    if (left === 0) done();
    for (const file of this.#files.values()) {
      file.drain(() => {
        if (--left === 0) done();
      });
    }
  }
}
