import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { createMessage, encodeMessage } from '#gateway/proto/registry.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import type { RateLimitRequest } from '#proto-types/envoy/service/ratelimit/v3/rls_pb.ts';
import { RateLimitRequestReader } from '#ratelimit/service/decode-request.ts';
import { shouldRateLimit } from '#ratelimit/service/grpc-stream.ts';
import { findPeer, firstMissing, peerTest } from '#test/support/peers.ts';
import { RateLimitClient } from '#test/support/rate-limit-client.ts';
import { startRedis } from '#test/support/redis.ts';
import { limitFolder, startService } from '../support/running-service.ts';

const calls = Number(process.env['SLUICE_CALLS'] ?? 4000);
const seed = Number(process.env['SLUICE_SEED'] ?? 1);
const internal = 13;

/** Makes requests, and changes octets of them here and there. */
class Mutator {
  readonly #random = createSeededRandom(seed);

  next(): Uint8Array {
    let octets = this.#request();
    for (let changes = this.#pick(4); changes > 0; changes--) octets = this.#changed(octets);
    return octets;
  }

  #pick(below: number): number {
    return Math.floor(this.#random.next() * below);
  }

  #word(): string {
    const words = ['a', '', 'key', 'remote_address', 'é', '👍', '\ufffd', 'x'.repeat(this.#pick(200))];
    return words[this.#pick(words.length)]!;
  }

  #list<T>(most: number, make: () => T): T[] {
    return Array.from({ length: this.#pick(most + 1) }, make);
  }

  #request(): Uint8Array {
    const entry = () => ({ key: this.#word(), value: this.#word() });
    const descriptor = () => ({
      entries: this.#list(3, entry),
      ...(this.#pick(3) > 0 ? {} : { limit: { requestsPerUnit: this.#pick(1000), unit: 1 + this.#pick(7) } }),
      ...(this.#pick(3) > 0 ? {} : { hitsAddend: BigInt(this.#pick(2 ** 40)) }),
      isNegativeHits: this.#pick(4) === 0,
    });
    const fields = { domain: this.#word(), hitsAddend: this.#pick(9), descriptors: this.#list(3, descriptor) };
    return encodeMessage(
      createMessage<RateLimitRequest>('envoy.service.ratelimit.v3.RateLimitRequest', fields as never),
    );
  }

  #changed(octets: Uint8Array): Uint8Array {
    const at = this.#pick(octets.length + 1);
    const [before, after] = [octets.subarray(0, at), octets.subarray(at)];
    switch (this.#pick(5)) {
      case 0:
        return Buffer.concat([before, Uint8Array.of(this.#pick(256)), after.subarray(1)]);
      case 1:
        return before;
      case 2:
        return Buffer.concat([before, Uint8Array.of(this.#pick(256)), after]);
      case 3:
        return Buffer.concat([before, after.subarray(this.#pick(20)), before.subarray(this.#pick(20))]);
      default: {
        const long = [0x80, 0x80, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f].slice(this.#pick(10));
        return Buffer.concat([before, Uint8Array.from(long), after]);
      }
    }
  }
}

peerTest(
  firstMissing('reference-ratelimit', 'redis-server'),
  `requests with octets changed at random are taken or refused as by the reference, seed ${seed}`,
  async () => {
    const redis = await startRedis(findPeer('redis-server')!);
    const folder = limitFolder({ 'a.yaml': 'domain: a' });
    const service = await startService([findPeer('reference-ratelimit')!], folder.root, redis.port);
    const client = new RateLimitClient(`127.0.0.1:${service.grpc}`);
    try {
      const mutator = new Mutator();
      const reader = new RateLimitRequestReader();
      const taken = { yes: 0, no: 0 };
      for (let call = 0; call < calls; call++) {
        const octets = mutator.next();
        const ours = reader.read(octets, 0, octets.length);
        // A unit that is none ends the reference.
        if (ours?.descriptors.some(({ limit }) => limit !== null && (limit.unit < 1 || limit.unit > 7))) continue;
        const status = await client.call(shouldRateLimit, octets).then(
          () => 0,
          (error: { code: number }) => error.code,
        );
        assert.equal(status === internal, ours === null, `call ${call}: ${Buffer.from(octets).toString('hex')}`);
        taken[ours === null ? 'no' : 'yes']++;
      }
      assert.ok(taken.yes > calls / 10 && taken.no > calls / 10, JSON.stringify(taken));
    } finally {
      client.close();
      await service.program.stop('SIGKILL');
      await redis.program.stop();
      folder.remove();
    }
  },
);
