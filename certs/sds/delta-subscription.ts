import { createMessage, typeUrlOf } from '#gateway/proto/registry.ts';
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
} from '#proto-types/envoy/service/discovery/v3/discovery_pb.ts';
import { type SecretResource, type SecretResources, secretTypeName } from './secret-resources.ts';
import type { Verdict } from './sotw-subscription.ts';

/** Names that one client may ask for or say it holds; further ones are ignored. */
const maxNames = 10_000;

/** One incremental subscription: only what the client wants and does not have yet is sent. It knows no socket. */
export class DeltaSubscription {
  readonly #resources: SecretResources;
  readonly #wanted = new Set<string>();
  /** What the client holds, by name: announced at the start of the stream or sent since. */
  readonly #held = new Map<string, string>();
  #first = true;
  #wildcard = false;
  #nonce = 0;
  /** What the last request said. */
  verdict: Verdict = 'first';
  /** Text of the last NACK. */
  nackMessage = '';

  constructor(resources: SecretResources) {
    this.#resources = resources;
  }

  /** The response to send now, or null. */
  onRequest(request: DeltaDiscoveryRequest): DeltaDiscoveryResponse | null {
    if (request.responseNonce === '') this.verdict = 'first';
    else if (request.responseNonce !== String(this.#nonce)) this.verdict = 'stale';
    else if (request.errorDetail !== undefined) {
      this.verdict = 'nack';
      this.nackMessage = request.errorDetail.message;
    } else this.verdict = 'ack';
    if (this.#first) {
      this.#first = false;
      this.#wildcard = request.resourceNamesSubscribe.length === 0;
      for (const [name, version] of Object.entries(request.initialResourceVersions).slice(0, maxNames)) {
        this.#held.set(name, version);
      }
    }
    for (const name of request.resourceNamesSubscribe) {
      if (name === '*') this.#wildcard = true;
      else if (this.#wanted.size < maxNames) this.#wanted.add(name);
      // Subscribing again asks for the resource again, even when the client has it.
      if (request.responseNonce !== '') this.#held.delete(name);
    }
    for (const name of request.resourceNamesUnsubscribe) {
      if (name === '*') this.#wildcard = false;
      this.#wanted.delete(name);
      this.#held.delete(name);
    }
    return this.#respond();
  }

  /** The response to send because `name` changed, or null when the client does not want it. */
  onSecretChanged(name: string): DeltaDiscoveryResponse | null {
    return this.#wildcard || this.#wanted.has(name) ? this.#respond() : null;
  }

  /** Nonce of what was sent last, for the log. */
  get sent(): string {
    return `nonce ${this.#nonce}`;
  }

  /** What the client asked for, for the log. */
  get wanted(): string {
    return this.#wildcard ? '(all)' : [...this.#wanted].join(', ');
  }

  #respond(): DeltaDiscoveryResponse | null {
    const news: SecretResource[] = [];
    for (const name of this.#wildcard ? this.#resources.names() : this.#wanted) {
      const resource = this.#resources.get(name);
      if (resource !== undefined && this.#held.get(name) !== resource.version) news.push(resource);
    }
    if (news.length === 0) return null;
    this.#nonce++;
    for (const { name, version } of news) this.#held.set(name, version);
    return createMessage<DeltaDiscoveryResponse>('envoy.service.discovery.v3.DeltaDiscoveryResponse', {
      typeUrl: typeUrlOf(secretTypeName),
      resources: news.map(({ name, version, any }) => ({ name, version, resource: any })),
      nonce: String(this.#nonce),
    });
  }
}
