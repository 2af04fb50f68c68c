import type { DeltaDiscoveryRequest } from '#proto-types/envoy/service/discovery/v3/discovery_pb.ts';
import type { EncodedResponse } from './encoded-responses.ts';
import type { OfferedSecrets } from './offered-secrets.ts';
import type { SecretResource } from './secret-resources.ts';
import { maxNames, type Subscription, type Verdict } from './subscription.ts';

/** One incremental subscription: only what the client wants and does not have yet is sent, and what it has and is gone. */
export class DeltaSubscription implements Subscription<DeltaDiscoveryRequest> {
  readonly #secrets: OfferedSecrets;
  readonly #names = new Set<string>();
  /** What the client holds, by name: announced at the start of the stream or sent since. */
  readonly #held = new Map<string, string>();
  #first = true;
  #all = false;
  sent: EncodedResponse | null = null;
  verdict: Verdict = 'first';
  nackMessage = '';

  constructor(secrets: OfferedSecrets) {
    this.#secrets = secrets;
  }

  get wanted(): readonly string[] | null {
    return this.#all ? null : [...this.#names];
  }

  onRequest(request: DeltaDiscoveryRequest): boolean {
    if (request.responseNonce === '') this.verdict = 'first';
    else if (request.responseNonce !== this.sent?.nonce) this.verdict = 'stale';
    else if (request.errorDetail !== undefined) {
      this.verdict = 'nack';
      this.nackMessage = request.errorDetail.message;
    } else this.verdict = 'ack';
    const first = this.#first;
    if (first) {
      this.#first = false;
      this.#all = request.resourceNamesSubscribe.length === 0;
      for (const [name, version] of Object.entries(request.initialResourceVersions).slice(0, maxNames)) {
        this.#held.set(name, version);
      }
    }
    for (const name of request.resourceNamesSubscribe) {
      if (name === '*') this.#all = true;
      else if (this.#names.size < maxNames) this.#names.add(name);
      // Subscribing again asks for the secret again, even when the client has it.
      if (!first) this.#held.delete(name);
    }
    for (const name of request.resourceNamesUnsubscribe) {
      if (name === '*') this.#all = false;
      this.#names.delete(name);
      this.#held.delete(name);
    }
    return true;
  }

  onSecretChanged(name: string): boolean {
    return this.#all || this.#names.has(name);
  }

  next(): EncodedResponse | null {
    const news: SecretResource[] = [];
    for (const name of this.#all ? this.#secrets.names() : [...this.#names].sort()) {
      const resource = this.#secrets.get(name);
      if (resource !== undefined && this.#held.get(name) !== resource.version) news.push(resource);
    }
    const gone = [...this.#held.keys()].filter((name) => this.#wants(name) && this.#secrets.get(name) === undefined);
    if (news.length === 0 && gone.length === 0) return null;
    for (const { name, version } of news) this.#held.set(name, version);
    for (const name of gone) this.#held.delete(name);
    this.sent = this.#secrets.responses.incremental(news, gone);
    return this.sent;
  }

  #wants(name: string): boolean {
    return this.#all || this.#names.has(name);
  }
}
