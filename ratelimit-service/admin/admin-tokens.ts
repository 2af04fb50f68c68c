import type { Buffer } from 'node:buffer';
import { createHash, timingSafeEqual } from 'node:crypto';
import { statSync } from 'node:fs';
import { readBoundedFile } from '#gateway/runtime/files.ts';

/** Shortest token that is taken, characters. */
const minTokenLength = 16;

const maxFileOctets = 65_536;

/** Who a token says that somebody is; never the token. */
export interface TokenHolder {
  /** The name in the file, or for want of one the fingerprint. */
  readonly name: string;
  /** The beginning of the token's SHA-256, in hexadecimal digits. */
  readonly fingerprint: string;
}

interface KnownToken extends TokenHolder {
  readonly digest: Uint8Array;
}

/**
 * The tokens in a file: one a line, `TOKEN` or `NAME TOKEN`; empty lines and those that begin with `#` are none. The file is
 * read for each question, so that what is taken out of it is refused from then on.
 */
export class AdminTokens {
  readonly #path: string;
  #tokens: readonly KnownToken[] = [];

  /** Reads the file. Throws with what is wrong with it. */
  constructor(path: string) {
    this.#path = path;
    this.#read();
  }

  /** Whether others than its owner may read the file. */
  get readableByOthers(): boolean {
    return (statSync(this.#path).mode & 0o007) !== 0;
  }

  /** Whose token this is; null when it is nobody's. All are compared, in constant time. Throws when the file cannot be read. */
  holderOf(token: string): TokenHolder | null {
    this.#read();
    const digest = sha256(token);
    let holder: KnownToken | null = null;
    for (const known of this.#tokens) if (timingSafeEqual(known.digest, digest)) holder = known;
    return holder;
  }

  #read(): void {
    // Whole, each time: no time stamp tells of two changes in a moment, and a token that was taken back must not stay good.
    this.#tokens = readTokens(new TextDecoder().decode(readBoundedFile(this.#path, maxFileOctets)));
  }
}

/** The first token of a file's text, to ask with. Throws with what is wrong. */
export function firstToken(text: string): string {
  return tokenLines(text)[0]!.token;
}

function readTokens(text: string): KnownToken[] {
  return tokenLines(text).map(({ name, token }) => {
    const digest = sha256(token);
    const fingerprint = digest.toString('hex').slice(0, 12);
    return { name: name === '' ? fingerprint : name, fingerprint, digest };
  });
}

function tokenLines(text: string): { name: string; token: string }[] {
  const lines: { name: string; token: string }[] = [];
  text.split('\n').forEach((raw, i) => {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) return;
    const words = line.split(/\s+/);
    if (words.length > 2) throw new Error(`line ${i + 1} is neither TOKEN nor NAME TOKEN`);
    const token = words.at(-1)!;
    if (!/^[A-Za-z0-9._~+/=-]+$/.test(token)) throw new Error(`line ${i + 1}: a token is letters, digits and -._~+/=`);
    if (token.length < minTokenLength)
      throw new Error(`line ${i + 1}: a token has at least ${minTokenLength} characters`);
    lines.push({ name: words.length === 2 ? words[0]! : '', token });
  });
  if (lines.length === 0) throw new Error('there is no token in it');
  return lines;
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
