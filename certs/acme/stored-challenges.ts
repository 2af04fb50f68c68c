import { createHash } from 'node:crypto';
import { AcmeError } from './acme-error.ts';
import type { AcmeStorage } from './acme-storage.ts';
import type { ChallengeResponder, PresentedChallenge } from './challenge-responder.ts';

/** An authorization lives for days at most; answers are removed after the order, this is for crashes. */
const lifetimeMs = 86_400_000;

/** Tokens are base64url. RFC 8555 section 8. */
const tokenPattern = /^[A-Za-z0-9_-]{16,200}$/;

function tokenKey(token: string): string {
  return `token/${token}`;
}

/** Hashed: names may be longer than a file's name, and come from strangers' SNI. */
function nameKey(domain: string): string {
  return `alpn/${createHash('sha256').update(domain.toLowerCase()).digest('hex')}`;
}

/** The answer of http-01, from storage, so that any replica can give it; null when there is none. */
export async function findToken(storage: AcmeStorage, token: string): Promise<string | null> {
  return tokenPattern.test(token) ? await storage.get(tokenKey(token)) : null;
}

/** The key authorization of tls-alpn-01 for a name; null when none is pending. */
export async function findNameAuthorization(storage: AcmeStorage, domain: string): Promise<string | null> {
  return domain === '' || domain.length > 253 ? null : await storage.get(nameKey(domain));
}

/** Puts answers into the storage, where the challenge servers of all replicas find them. */
export class StoredChallenges implements ChallengeResponder {
  readonly type: 'http-01' | 'tls-alpn-01';
  readonly #storage: AcmeStorage;

  constructor(type: 'http-01' | 'tls-alpn-01', storage: AcmeStorage) {
    this.type = type;
    this.#storage = storage;
  }

  async present(challenge: PresentedChallenge): Promise<void> {
    // The token becomes a key: one that is none would reach beyond the tokens.
    if (!tokenPattern.test(challenge.token))
      throw new AcmeError('refused', `the authority's token for ${challenge.domain} is not base64url`);
    await this.#storage.put(this.#key(challenge), challenge.keyAuthorization, lifetimeMs);
  }

  async remove(challenge: PresentedChallenge): Promise<void> {
    const key = this.#key(challenge);
    // Another order for the same name may have put its own answer there since.
    if ((await this.#storage.get(key)) === challenge.keyAuthorization) await this.#storage.delete(key);
  }

  #key(challenge: PresentedChallenge): string {
    return this.type === 'http-01' ? tokenKey(challenge.token) : nameKey(challenge.domain);
  }
}
