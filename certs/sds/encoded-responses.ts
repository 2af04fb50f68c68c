import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { createMessage, encodeMessage, typeUrlOf } from '#gateway/proto/registry.ts';
import type {
  DeltaDiscoveryResponse,
  DiscoveryResponse,
} from '#proto-types/envoy/service/discovery/v3/discovery_pb.ts';
import { type SecretResource, secretTypeName } from './secret-resources.ts';

/** Responses kept ready: enough for as many different sets of names as a deployment has. */
const maxKept = 256;

/** A response in the form it goes out in, shared by all streams that are at the same point. Never changed. */
export interface EncodedResponse {
  readonly octets: Buffer;
  readonly nonce: string;
  readonly version: string;
}

/**
 * Encodes responses, each once: a thousand clients that come back at the same time get the same octets. A nonce stands for
 * what a response says, so that equal nonces on one stream are equal responses.
 */
export class EncodedResponses {
  readonly #kept = new Map<string, EncodedResponse>();
  #nonce = 0;
  /** Responses that were encoded so far: for tests. */
  encoded = 0;

  /** All of `resources`, for a stream that is told the state of the world. */
  stateOfTheWorld(resources: readonly SecretResource[]): EncodedResponse {
    return this.#get(`all ${keyOf(resources)}`, (nonce) => {
      const versionInfo = joinedVersion(resources);
      const message = createMessage<DiscoveryResponse>('envoy.service.discovery.v3.DiscoveryResponse', {
        versionInfo,
        typeUrl: typeUrlOf(secretTypeName),
        resources: resources.map(({ any }) => any),
        nonce,
      });
      return { octets: octetsOf(encodeMessage(message)), nonce, version: versionInfo };
    });
  }

  /** What is new and what is gone, for a stream that is told the differences. */
  incremental(resources: readonly SecretResource[], removed: readonly string[]): EncodedResponse {
    return this.#get(`new ${keyOf(resources)} gone ${JSON.stringify(removed)}`, (nonce) => {
      const version = joinedVersion(resources);
      const message = createMessage<DeltaDiscoveryResponse>('envoy.service.discovery.v3.DeltaDiscoveryResponse', {
        systemVersionInfo: version,
        typeUrl: typeUrlOf(secretTypeName),
        resources: resources.map((one) => ({ name: one.name, version: one.version, resource: one.any })),
        removedResources: [...removed],
        nonce,
      });
      return { octets: octetsOf(encodeMessage(message)), nonce, version };
    });
  }

  #get(key: string, encode: (nonce: string) => EncodedResponse): EncodedResponse {
    const known = this.#kept.get(key);
    if (known !== undefined) return known;
    const made = encode(String(++this.#nonce));
    this.encoded++;
    if (this.#kept.size >= maxKept) this.#kept.delete(this.#kept.keys().next().value!);
    this.#kept.set(key, made);
    return made;
  }
}

function keyOf(resources: readonly SecretResource[]): string {
  return JSON.stringify(resources.map(({ name, version }) => [name, version]));
}

function joinedVersion(resources: readonly SecretResource[]): string {
  if (resources.length === 1) return resources[0]!.version;
  return createHash('sha256').update(keyOf(resources)).digest('hex').slice(0, 16);
}

function octetsOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
