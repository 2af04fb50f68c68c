import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { StreamInfo } from './stream-info.ts';

/** What a log line or a header formatter may show. Null parts: a TCP connection, or they never came. */
export interface FormatterContext {
  readonly request: RequestHead | null;
  readonly response: ResponseHead | null;
  readonly trailers: HeaderMap | null;
  readonly streamInfo: StreamInfo;
  /** Body of a local reply: %LOCAL_REPLY_BODY%, else ''. */
  readonly localReplyBody: string;
}

/** Turns a compiled format into text. Pure. */
export interface Formatter {
  format(context: FormatterContext): string;
}

/** One configured access log with its filter. */
export interface AccessLogger {
  log(context: FormatterContext): void;
}

/** An open log file, shared by all loggers that name its path. */
export interface LogFile {
  /** `line` ends in a newline if one is wanted. Written in the background, in order. */
  write(line: string): void;
}

/** All log files; POST /reopen_logs and SIGUSR1 reopen them. */
export interface LogFiles {
  /** Opens (once) for appending. Throws ConfigError-like Error when the path cannot be opened. `/dev/stdout` works. */
  open(path: string): LogFile;
  stdout(): LogFile;
  stderr(): LogFile;
  reopen(): void;
}
