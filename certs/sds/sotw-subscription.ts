import { createHash } from 'node:crypto';
import { createMessage, typeUrlOf } from '#gateway/proto/registry.ts';
import type { DiscoveryRequest, DiscoveryResponse } from '#proto-types/envoy/service/discovery/v3/discovery_pb.ts';
import { type SecretResource, type SecretResources, secretTypeName } from './secret-resources.ts';

/** What a client's request said about the response before it. */
export type Verdict = 'first' | 'ack' | 'nack' | 'stale';

/**
 * One state-of-the-world subscription: which names a client wants, and what it was sent. It knows no socket.
 *
 *   request (first, or names changed) -> respond with every wanted resource that exists
 *   request (ack or nack)             -> nothing to send until a resource changes
 *   resource changed                  -> respond when it is wanted
 */
export class SotwSubscription {
  readonly #resources: SecretResources;
  #names: readonly string[] = [];
  #nonce = 0;
  #sentVersion = '';
  /** What the last request said. */
  verdict: Verdict = 'first';
  /** Text of the last NACK. */
  nackMessage = '';

  constructor(resources: SecretResources) {
    this.#resources = resources;
  }

  /** The response to send now, or null. */
  onRequest(request: DiscoveryRequest): DiscoveryResponse | null {
    const stale = request.responseNonce !== '' && request.responseNonce !== String(this.#nonce);
    if (stale) {
      this.verdict = 'stale';
      return null;
    }
    if (request.responseNonce === '') this.verdict = 'first';
    else if (request.errorDetail !== undefined) {
      this.verdict = 'nack';
      this.nackMessage = request.errorDetail.message;
    } else this.verdict = 'ack';
    const changed = !sameNames(this.#names, request.resourceNames);
    this.#names = [...request.resourceNames];
    return this.verdict === 'first' || changed ? this.#respond() : null;
  }

  /** The response to send because `name` changed, or null when the client does not want it. */
  onSecretChanged(name: string): DiscoveryResponse | null {
    if (this.#names.length > 0 && !this.#names.includes(name)) return null;
    return this.#nonce === 0 && this.#names.length === 0 ? null : this.#respond();
  }

  /** Version and nonce of what was sent last, for the log. */
  get sent(): string {
    return `version ${this.#sentVersion} nonce ${this.#nonce}`;
  }

  /** What the client asked for, for the log. */
  get wanted(): string {
    return this.#names.length === 0 ? '(all)' : this.#names.join(', ');
  }

  #respond(): DiscoveryResponse | null {
    const wanted = this.#names.length === 0 ? this.#resources.names() : this.#names;
    const found: SecretResource[] = [];
    for (const name of wanted) {
      const resource = this.#resources.get(name);
      if (resource !== undefined) found.push(resource);
    }
    // An empty answer would tell Envoy nothing; it keeps waiting either way and logs less without.
    if (found.length === 0) return null;
    this.#nonce++;
    this.#sentVersion = joinedVersion(found);
    return createMessage<DiscoveryResponse>('envoy.service.discovery.v3.DiscoveryResponse', {
      versionInfo: this.#sentVersion,
      typeUrl: typeUrlOf(secretTypeName),
      resources: found.map((resource) => resource.any),
      nonce: String(this.#nonce),
    });
  }
}

function joinedVersion(resources: readonly SecretResource[]): string {
  if (resources.length === 1) return resources[0]!.version;
  const hash = createHash('sha256');
  for (const { name, version } of resources) hash.update(`${name}=${version}\n`);
  return hash.digest('hex').slice(0, 16);
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name) => b.includes(name));
}
