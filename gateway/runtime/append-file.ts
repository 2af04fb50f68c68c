import { Buffer } from 'node:buffer';
import { close, openSync, write } from 'node:fs';

/** File descriptors of the standard streams. */
const standardOutput = 1;
/** @see standardOutput */
const standardError = 2;

/**
 * A file opened for appending, written in the background. Standard streams are written the same way, so a reader that is
 * slow never holds up traffic.
 */
export class AppendFile {
  readonly #path: string;
  #fd: number;
  readonly #owned: boolean;

  /** Throws the system's error when `path` cannot be opened. `/dev/stdout` and `/dev/stderr` are the process's own streams. */
  constructor(path: string) {
    this.#path = path;
    this.#owned = path !== '/dev/stdout' && path !== '/dev/stderr';
    this.#fd = path === '/dev/stdout' ? standardOutput : path === '/dev/stderr' ? standardError : openSync(path, 'a');
  }

  /** Opens the path anew (it may have been renamed); the old file is closed. Throws when that fails; the old one stays. */
  reopen(): void {
    if (!this.#owned) return;
    const fd = openSync(this.#path, 'a');
    const old = this.#fd;
    this.#fd = fd;
    close(old, () => {});
  }

  /** Appends octet text (latin-1). One call at a time: wait for `done`, which gets null or what went wrong. */
  append(text: string, done: (error: Error | null) => void): void {
    this.#write(this.#fd, octetsOf(text), 0, done);
  }

  #write(fd: number, octets: Uint8Array, from: number, done: (error: Error | null) => void): void {
    write(fd, octets, from, octets.length - from, null, (error, written) => {
      if (error !== null) {
        // A pipe that is full and does not block: its reader is slow.
        if (error.code === 'EAGAIN') setTimeout(() => this.#write(fd, octets, from, done), 10);
        else done(error);
        return;
      }
      if (from + written < octets.length) this.#write(fd, octets, from + written, done);
      else done(null);
    });
  }

  close(): void {
    if (this.#owned) close(this.#fd, () => {});
  }
}

const encoder = new TextEncoder();

/** Octets of latin-1 text. Nearly all of it is ASCII, which the text encoder writes faster than anything on every runtime. */
function octetsOf(text: string): Uint8Array {
  const octets = encoder.encode(text);
  return octets.length === text.length ? octets : Buffer.from(text, 'latin1');
}
