import { Buffer } from 'node:buffer';
import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { CertificateError } from '../ca/issued-certificate.ts';
import type { RevocationReason, RevokedEntry } from '../ca/revocation-reason.ts';
import { revocationReasons } from '../ca/revocation-reason.ts';
import { emptyHash, formatLogLine, type LogEvent, type LoggedEvent, parseLogLine } from './log-line.ts';
import { withStoreLock } from './store-lock.ts';

/** A leaf as the log knows it. */
export interface IssuedRecord {
  readonly serial: string;
  readonly template: string;
  readonly names: readonly string[];
  readonly entry: string;
  readonly issuedMs: number;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly sha256: string;
  readonly by: string;
  revoked: { readonly timeMs: number; readonly reason: RevocationReason } | null;
}

/** A revoked certificate stays on the list for a while after its end: clocks differ. */
const listedAfterEndMs = 86_400_000;
const readOctets = 1024 * 1024;
const fileName = 'issuance.log';
const headName = 'issuance.head';

/**
 * The append-only log of a certificate authority: JSON lines in a chain of hashes, each on disk before what it tells of is
 * handed out. Several processes may write it. What is issued and revoked is known from it alone.
 */
export class IssuanceLog {
  readonly #directory: string;
  readonly #records = new Map<string, IssuedRecord>();
  readonly #intermediates = new Map<string, { readonly notAfterMs: number; revokedMs: number | null }>();
  #seq = 0;
  #hash = emptyHash;
  #octets = 0;

  /** Reads the log, if there is one. Throws {@link CertificateError} when it was tampered with. */
  constructor(directory: string) {
    this.#directory = directory;
    this.refresh();
  }

  /** Number and hash of the last line: who keeps them elsewhere can tell later that nothing was cut off. */
  get head(): { readonly seq: number; readonly hash: string } {
    return { seq: this.#seq, hash: this.#hash };
  }

  /** The leaf with this serial number (upper-case hexadecimal), if it was issued here. */
  get(serial: string): IssuedRecord | null {
    return this.#records.get(serial) ?? null;
  }

  /** All leaves, oldest first. */
  records(): IterableIterator<IssuedRecord> {
    return this.#records.values();
  }

  /** What a revocation list of this moment holds. */
  revoked(nowMs: number): RevokedEntry[] {
    const entries: RevokedEntry[] = [];
    for (const { serial, revoked, notAfterMs } of this.#records.values()) {
      if (revoked === null || notAfterMs + listedAfterEndMs < nowMs) continue;
      entries.push({ serial, timeMs: revoked.timeMs, reasonCode: revocationReasons[revoked.reason] });
    }
    return entries;
  }

  /** Intermediates that are revoked and have not expired: what the root's list holds. */
  revokedIntermediates(nowMs: number): RevokedEntry[] {
    const entries: RevokedEntry[] = [];
    for (const [serial, { notAfterMs, revokedMs }] of this.#intermediates) {
      if (revokedMs === null || notAfterMs + listedAfterEndMs < nowMs) continue;
      entries.push({ serial, timeMs: revokedMs, reasonCode: revocationReasons.keyCompromise });
    }
    return entries;
  }

  /** Takes in what other processes wrote; true when there was something. */
  refresh(): boolean {
    const before = this.#seq;
    const reader = readLines(join(this.#directory, fileName), this.#octets);
    if (reader === null) {
      if (this.#octets > 0) throw new CertificateError(`${fileName} is gone or was cut`);
      return false;
    }
    for (const { text, end } of reader) {
      const line = parseLogLine(text);
      const wrong =
        typeof line === 'string'
          ? line
          : line.previous !== this.#hash || line.event.seq !== this.#seq + 1
            ? 'does not follow the line before it'
            : null;
      if (wrong !== null || typeof line === 'string') {
        throw new CertificateError(`${fileName}: line ${this.#seq + 1} ${wrong}`);
      }
      this.#seq = line.event.seq;
      this.#hash = line.hash;
      this.#octets = end;
      this.#take(line.event);
    }
    return this.#seq !== before;
  }

  /**
   * Appends an event and waits until it is on disk. `check` is asked after other processes' lines were taken in and while
   * none can be added; what it throws is thrown and nothing is written.
   */
  append(event: LogEvent, nowMs: number, check: () => void = () => {}): void {
    withStoreLock(this.#directory, () => {
      this.refresh();
      check();
      const { text, hash } = formatLogLine(event, this.#seq + 1, new Date(nowMs).toISOString(), this.#hash);
      const file = openSync(join(this.#directory, fileName), 'a', 0o600);
      try {
        // What follows the last whole line was torn by a crash before anybody saw it.
        if (fstatSync(file).size > this.#octets) ftruncateSync(file, this.#octets);
        writeSync(file, text);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      this.#seq++;
      this.#hash = hash;
      this.#octets += Buffer.byteLength(text);
      this.#take({ ...event, seq: this.#seq, time: new Date(nowMs).toISOString() });
      this.#writeHead();
    });
  }

  #writeHead(): void {
    const path = join(this.#directory, headName);
    writeFileSync(`${path}.new`, `${this.#seq} ${this.#hash}\n`, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }

  #take(event: LoggedEvent): void {
    if (event.type === 'issued') {
      this.#records.set(event.serial, {
        serial: event.serial,
        template: event.template,
        names: event.names,
        entry: event.entry,
        issuedMs: Date.parse(event.time),
        notBeforeMs: Date.parse(event.not_before),
        notAfterMs: Date.parse(event.not_after),
        sha256: event.sha256,
        by: event.by,
        revoked: null,
      });
    } else if (event.type === 'authority') {
      if (event.role === 'root') return;
      this.#intermediates.set(event.serial, { notAfterMs: Date.parse(event.not_after), revokedMs: null });
    } else if (event.type === 'revoked') {
      const intermediate = this.#intermediates.get(event.serial);
      if (intermediate !== undefined) intermediate.revokedMs = Date.parse(event.time);
      const record = this.#records.get(event.serial);
      if (record !== undefined) {
        record.revoked = { timeMs: Date.parse(event.time), reason: event.reason as RevocationReason };
      }
    }
  }
}

/** What an examination of the log found. */
export interface LogVerdict {
  readonly entries: number;
  /** Hash of the last good line. */
  readonly hash: string;
  /** What is wrong, one sentence each; empty when the chain is whole. */
  readonly problems: readonly string[];
}

/** Examines the whole chain, and that it still holds the lines that `issuance.head` and `expected` tell of. */
export function verifyIssuanceLog(directory: string, expected: string | null = null): LogVerdict {
  const hashes = [emptyHash];
  const problems: string[] = [];
  for (const { text } of readLines(join(directory, fileName), 0) ?? []) {
    const number = hashes.length;
    const line = parseLogLine(text);
    if (typeof line === 'string') problems.push(`line ${number} ${line}`);
    else if (line.previous !== hashes.at(-1) || line.event.seq !== number) {
      problems.push(`line ${number} does not follow the line before it`);
    }
    if (problems.length > 0) break; // all that follows hangs on it
    hashes.push((line as { hash: string }).hash);
  }
  if (problems.length === 0) {
    const head = readHead(directory);
    if (head !== null && hashes[head.seq] !== head.hash) problems.push(`the log was cut: it had ${head.seq} lines`);
    if (expected !== null && !hashes.includes(expected)) problems.push(`no line has the hash ${expected}`);
  }
  return { entries: hashes.length - 1, hash: hashes.at(-1)!, problems };
}

/** Every event, oldest first. Throws {@link CertificateError} for a line that is not one. */
export function* readIssuanceLog(directory: string): Generator<LoggedEvent> {
  let number = 0;
  for (const { text } of readLines(join(directory, fileName), 0) ?? []) {
    number++;
    const line = parseLogLine(text);
    if (typeof line === 'string') throw new CertificateError(`${fileName}: line ${number} ${line}`);
    yield line.event;
  }
}

function readHead(directory: string): { seq: number; hash: string } | null {
  try {
    const octets = Buffer.alloc(200);
    const file = openSync(join(directory, headName), 'r');
    const length = readSync(file, octets, 0, octets.length, 0);
    closeSync(file);
    const match = /^([0-9]+) ([0-9a-f]{64})\n/.exec(octets.toString('latin1', 0, length));
    return match === null ? null : { seq: Number(match[1]), hash: match[2]! };
  } catch {
    return null;
  }
}

/** The whole lines of a file from an offset on, each with the offset of its end; null when the file is shorter than that. */
function readLines(path: string, from: number): Generator<{ text: string; end: number }> | null {
  try {
    const { size } = statSync(path);
    return size < from ? null : size === from ? none() : linesOf(path, from);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function* none(): Generator<{ text: string; end: number }> {}

function* linesOf(path: string, from: number): Generator<{ text: string; end: number }> {
  const file = openSync(path, 'r');
  try {
    let rest = Buffer.alloc(0);
    let at = from;
    for (;;) {
      const chunk = Buffer.alloc(readOctets);
      const length = readSync(file, chunk, 0, readOctets, at + rest.length);
      if (length === 0) return;
      rest = Buffer.concat([rest, chunk.subarray(0, length)]);
      for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
        at += end + 1;
        yield { text: rest.toString('utf8', 0, end), end: at };
        rest = rest.subarray(end + 1);
      }
    }
  } finally {
    closeSync(file);
  }
}
