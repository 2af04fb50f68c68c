import { createHash } from 'node:crypto';

/** Something that the issuance log keeps. */
export type LogEvent =
  /** An authority's certificate was made. */
  | {
      readonly type: 'authority';
      readonly serial: string;
      readonly role: 'root' | 'intermediate';
      readonly not_before: string;
      readonly not_after: string;
      readonly sha256: string;
    }
  /** A leaf was issued; `names` as `DNS:a`, `IP:1.2.3.4`, `URI:u`, `email:m`. */
  | {
      readonly type: 'issued';
      readonly serial: string;
      readonly template: string;
      readonly names: readonly string[];
      /** Name in the store, or ''. */
      readonly entry: string;
      readonly not_before: string;
      readonly not_after: string;
      readonly sha256: string;
      /** Who asked: `cli`, `service`, `token:ID`, `mtls:SERIAL`. */
      readonly by: string;
    }
  | { readonly type: 'revoked'; readonly serial: string; readonly reason: string; readonly by: string }
  /** A one-time token was minted. */
  | {
      readonly type: 'token';
      readonly id: string;
      readonly template: string;
      readonly names: readonly string[];
      readonly expires: string;
    };

/** An event as it stands in the log. */
export type LoggedEvent = LogEvent & {
  /** 1 for the first line. */
  readonly seq: number;
  /** ISO 8601. */
  readonly time: string;
};

/** What the first line continues. */
export const emptyHash: string = '0'.repeat(64);

/** One line with its hash. */
export interface LogLine {
  readonly event: LoggedEvent;
  readonly previous: string;
  readonly hash: string;
}

/**
 * Writes a line. Its last member is the SHA-256 of the text before it, which holds the hash of the line before: no line can be
 * changed, taken out or put in without changing all that follow.
 */
export function formatLogLine(
  event: LogEvent,
  seq: number,
  time: string,
  previous: string,
): { text: string; hash: string } {
  const body = JSON.stringify({ seq, time, ...event, prev: previous }).slice(0, -1);
  const hash = hashOf(body);
  return { text: `${body},"hash":"${hash}"}\n`, hash };
}

/** Reads a line without its end; a text says what is wrong with it. */
export function parseLogLine(line: string): LogLine | string {
  const match = /^(.*),"hash":"([0-9a-f]{64})"}$/.exec(line);
  if (match === null) return 'is not a line of this log';
  const [, body = '', hash = ''] = match;
  if (hashOf(body) !== hash) return 'was changed: its hash does not fit its text';
  try {
    const { prev, ...event } = JSON.parse(`${body}}`) as LoggedEvent & { prev: string };
    return { event, previous: prev, hash };
  } catch {
    return 'is not JSON';
  }
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
