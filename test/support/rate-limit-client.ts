import { Buffer } from 'node:buffer';
import grpc from '@grpc/grpc-js';
import { createMessage, decodeMessage, encodeMessage } from '#gateway/proto/registry.ts';
import type { RateLimitRequest, RateLimitResponse } from '#proto-types/envoy/service/ratelimit/v3/rls_pb.ts';

/** A gRPC client of a rate-limit service, by a library that is not ours. */
export class RateLimitClient {
  readonly #client: grpc.Client;

  /** `credentials`: plain text when absent. */
  constructor(address: string, credentials: grpc.ChannelCredentials = grpc.credentials.createInsecure()) {
    this.#client = new grpc.Client(address, credentials);
  }

  /** Asks; each descriptor is `key=value key=value`. Rejects with the gRPC error. */
  async ask(domain: string, ...descriptors: string[]): Promise<RateLimitResponse> {
    const request = createMessage<RateLimitRequest>('envoy.service.ratelimit.v3.RateLimitRequest', {
      domain,
      descriptors: descriptors.map((text) => ({
        entries: text.split(' ').map((pair) => ({ key: pair.split('=')[0]!, value: pair.split('=')[1] ?? '' })),
      })),
    });
    const reply = await this.call(
      '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit',
      encodeMessage(request),
    );
    return decodeMessage<RateLimitResponse>('envoy.service.ratelimit.v3.RateLimitResponse', reply);
  }

  /** A unary call with octets for messages. */
  async call(path: string, message: Uint8Array): Promise<Uint8Array> {
    return await new Promise((resolve, reject) => {
      const pass = (octets: Uint8Array): Buffer => Buffer.from(octets);
      this.#client.makeUnaryRequest(
        path,
        pass,
        (octets: Buffer): Uint8Array => octets,
        message,
        (error, reply) => {
          if (error !== null) reject(error);
          else resolve(reply!);
        },
      );
    });
  }

  close(): void {
    this.#client.close();
  }
}
