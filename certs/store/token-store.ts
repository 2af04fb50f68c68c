import { Buffer } from 'node:buffer';
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { type TemplateName, templateNames } from '../ca/certificate-template.ts';
import { CertificateError } from '../ca/issued-certificate.ts';
import { SecretText } from '../ca/secret-text.ts';
import { readSmallFile, requirePrivate } from './private-file.ts';
import { replaceFile } from './replace-file.ts';
import { withStoreLock } from './store-lock.ts';

/** What the holder of a token may have signed. */
export interface TokenGrant {
  readonly id: string;
  readonly template: TemplateName;
  /** Names as `DNS:a`, `IP:1.2.3.4`, ...: a request may have some of them, and no other. */
  readonly names: readonly string[];
  /** The longest life of the certificate, milliseconds. */
  readonly maxLifetimeMs: number;
  /** Wall-clock milliseconds. */
  readonly expiresMs: number;
}

const storedToken = z.strictObject({
  id: z.string(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  template: z.enum(templateNames),
  names: z.array(z.string()),
  max_lifetime_ms: z.number(),
  expires: z.string(),
  used: z.string().nullable(),
});
const storedTokens = z.strictObject({ tokens: z.array(storedToken) });
type StoredToken = z.infer<typeof storedToken>;

/** Tokens of the past that are kept, so that a late user hears "used" or "expired" rather than "unknown". */
const keptAfterEndMs = 7 * 86_400_000;
/** Tokens that may wait to be used. */
const maxTokens = 10_000;
const fileName = 'tokens.json';

/**
 * One-time tokens, in a file of one store. Only their hashes are kept (they are 256 random bits, so a plain hash is enough); a
 * token works once.
 */
export class TokenStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Makes a token. Its text is shown to whoever asked and is nowhere else. */
  mint(grant: Omit<TokenGrant, 'id'>, nowMs: number): { readonly id: string; readonly token: SecretText } {
    const id = randomBytes(6).toString('hex');
    const token = new SecretText(`sct_${id}_${randomBytes(32).toString('base64url')}`);
    withStoreLock(this.#directory, () => {
      const tokens = this.#load().filter(({ expires }) => Date.parse(expires) + keptAfterEndMs > nowMs);
      if (tokens.length >= maxTokens) throw new CertificateError(`there are ${tokens.length} tokens already`);
      tokens.push({
        id,
        sha256: hashOf(token.reveal()).toString('hex'),
        template: grant.template,
        names: [...grant.names],
        max_lifetime_ms: grant.maxLifetimeMs,
        expires: new Date(grant.expiresMs).toISOString(),
        used: null,
      });
      this.#save(tokens);
    });
    return { id, token };
  }

  /** What a token allows; a text says why it allows nothing. It is not used up. */
  check(token: string, nowMs: number): TokenGrant | string {
    return this.#find(this.#load(), token, nowMs);
  }

  /** The same, and the token is used up. Of two processes that try at once, one is refused. */
  redeem(token: string, nowMs: number): TokenGrant | string {
    return withStoreLock(this.#directory, () => {
      const tokens = this.#load();
      const found = this.#find(tokens, token, nowMs);
      if (typeof found === 'string') return found;
      for (const stored of tokens) if (stored.id === found.id) stored.used = new Date(nowMs).toISOString();
      this.#save(tokens);
      return found;
    });
  }

  #find(tokens: readonly StoredToken[], token: string, nowMs: number): TokenGrant | string {
    const id = /^sct_([0-9a-f]{12})_[A-Za-z0-9_-]{43}$/.exec(token)?.[1];
    const stored = tokens.find((candidate) => candidate.id === id);
    const hash = Buffer.from(stored?.sha256 ?? '0'.repeat(64), 'hex');
    if (!timingSafeEqual(hashOf(token), hash) || stored === undefined) return 'the token is not known';
    if (stored.used !== null) return 'the token was used already';
    const expiresMs = Date.parse(stored.expires);
    if (expiresMs <= nowMs) return 'the token has expired';
    const { template, names, max_lifetime_ms: maxLifetimeMs } = stored;
    return { id: stored.id, template, names, maxLifetimeMs, expiresMs };
  }

  #load(): StoredToken[] {
    const path = join(this.#directory, fileName);
    const text = readSmallFile(path)?.toString('utf8');
    if (text === undefined) return [];
    requirePrivate(path, 0o600);
    try {
      return storedTokens.parse(JSON.parse(text)).tokens;
    } catch {
      throw new CertificateError(`${path} is damaged`);
    }
  }

  #save(tokens: readonly StoredToken[]): void {
    replaceFile(join(this.#directory, fileName), `${JSON.stringify({ tokens }, null, 1)}\n`, 0o600);
  }
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
