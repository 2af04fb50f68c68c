import type { DiscoveryRequest } from '#proto-types/envoy/service/discovery/v3/discovery_pb.ts';
import type { EncodedResponse } from './encoded-responses.ts';
import type { OfferedSecrets } from './offered-secrets.ts';
import type { SecretResource } from './secret-resources.ts';
import { maxNames, type Subscription, type Verdict } from './subscription.ts';

/**
 * One state-of-the-world subscription: which names a client wants, and what it was sent.
 *
 *   request (first, or names changed) -> respond with every wanted secret that exists
 *   request (ack or nack)             -> nothing to send until a secret changes
 *   secret changes                    -> respond when it is wanted
 *
 * A first request without names asks for all; a later one for none any more.
 */
export class SotwSubscription implements Subscription<DiscoveryRequest> {
  readonly #secrets: OfferedSecrets;
  #names: readonly string[] = [];
  #all = false;
  #due = false;
  #first = true;
  sent: EncodedResponse | null = null;
  verdict: Verdict = 'first';
  nackMessage = '';

  constructor(secrets: OfferedSecrets) {
    this.#secrets = secrets;
  }

  get wanted(): readonly string[] | null {
    return this.#all ? null : this.#names;
  }

  onRequest(request: DiscoveryRequest): boolean {
    const stale = request.responseNonce !== '' && request.responseNonce !== this.sent?.nonce;
    if (stale) {
      this.verdict = 'stale'; // the answer to what was sent since is on its way, with all names
      return this.#due;
    }
    if (request.responseNonce === '') this.verdict = 'first';
    else if (request.errorDetail !== undefined) {
      this.verdict = 'nack';
      this.nackMessage = request.errorDetail.message;
    } else this.verdict = 'ack';
    const names = [...new Set(request.resourceNames)].slice(0, maxNames).sort();
    const all = names.includes('*') || (names.length === 0 && (this.#first || this.#all));
    const changed = all !== this.#all || !sameNames(this.#names, names);
    this.#first = false;
    this.#all = all;
    this.#names = names;
    if (this.verdict === 'first' || changed) this.#due = true;
    return this.#due;
  }

  onSecretChanged(name: string): boolean {
    if (!this.#first && (this.#all || this.#names.includes(name))) this.#due = true;
    return this.#due;
  }

  next(): EncodedResponse | null {
    if (!this.#due) return null;
    this.#due = false;
    const found: SecretResource[] = [];
    for (const name of this.#all ? this.#secrets.names() : this.#names) {
      const resource = this.#secrets.get(name);
      if (resource !== undefined) found.push(resource);
    }
    // An empty answer would tell Envoy nothing; it keeps waiting either way and logs less without.
    if (found.length === 0) return null;
    this.sent = this.#secrets.responses.stateOfTheWorld(found);
    return this.sent;
  }
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, i) => b[i] === name);
}
