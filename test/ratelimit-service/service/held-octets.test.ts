import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMessage, encodeMessage } from '#gateway/proto/registry.ts';
import { frameGrpcMessage } from '#gateway/protocol/grpc/message-writer.ts';
import type { RateLimitRequest } from '#proto-types/envoy/service/ratelimit/v3/rls_pb.ts';
import { shouldRateLimit } from '#ratelimit/service/grpc-stream.ts';
import { ConnectionHeld, HeldOctets } from '#ratelimit/service/held-octets.ts';
import { SingleMessage } from '#ratelimit/service/single-message.ts';
import { frame } from '#test/support/h2-frames.ts';
import { HostileClient } from '../support/hostile-client.ts';
import { limitFolder } from '../support/running-service.ts';
import { type StartedService, startService } from '../support/start-service.ts';

const mebi = 1024 * 1024;
const config = `
domain: d
descriptors:
- key: k
  rate_limit: { unit: year, requests_per_unit: 4000000000 }
`;

function request(descriptors: number): Uint8Array {
  const one = { entries: [{ key: 'k', value: 'v' }] };
  const message = createMessage<RateLimitRequest>('envoy.service.ratelimit.v3.RateLimitRequest', {
    domain: 'd',
    descriptors: Array.from({ length: descriptors }, () => one) as never,
  });
  return frameGrpcMessage(encodeMessage(message));
}

async function withService(use: (started: StartedService) => Promise<void>): Promise<void> {
  const folder = limitFolder({ 'a.yaml': config });
  const started = await startService({ RUNTIME_ROOT: folder.root, RUNTIME_SUBDIRECTORY: 'rl' });
  try {
    await use(started);
  } finally {
    await started.service.close();
    folder.remove();
  }
}

/** Whether another client is answered. */
async function isServed(port: number): Promise<boolean> {
  const client = new HostileClient(port);
  client.open(1, shouldRateLimit);
  await client.send(1, request(1), true);
  const refused = await client.refused(1);
  client.socket.destroy();
  return !refused;
}

test('a connection holds 16 MiB at most, and little when all together hold too much', () => {
  const all = new HeldOctets(32 * mebi);
  const [one, other] = [new ConnectionHeld(all), new ConnectionHeld(all)];
  one.partial(16 * mebi);
  assert.equal(one.full, false);
  one.partial(1);
  assert.equal(one.full, true);
  assert.equal(other.full, false);
  const waiting = { bufferedOctets: 15 * mebi };
  other.unread(waiting);
  assert.equal(other.full, false);
  other.stalled(mebi);
  assert.equal(other.full, true, 'together 32 MiB and 1');
  const third = new ConnectionHeld(all);
  third.partial(100_000);
  assert.equal(third.full, false, 'who holds little does not suffer');
  waiting.bufferedOctets = 0;
  assert.equal(other.full, false, 'what has left does not count');
  one.partial(-16 * mebi);
  assert.equal(one.full, false);
  for (const each of [one, other, third]) each.close();
  assert.equal(all.octets, 0);
});

test('two million octets, each by itself, are read in one go and not again for each', () => {
  const message = new SingleMessage(4 * mebi, null);
  const octets = frameGrpcMessage(new Uint8Array(2_000_000).fill(7));
  for (let at = 0; at < octets.length; at++) assert.equal(message.read(octets.subarray(at, at + 1)), null);
  assert.equal(message.octets?.length, 2_000_000);
});

test('messages that never end: 16 MiB of a connection are kept, and others are served', async () => {
  await withService(async ({ service }) => {
    const client = new HostileClient(service.grpcPort);
    const part = new Uint8Array(3 * mebi);
    part.set([0, 0, 0x40, 0, 0]);
    for (let id = 1; id <= 15; id += 2) {
      client.open(id, id % 4 === 1 ? shouldRateLimit : service.grpc.methods.find(quota)!.path);
      await client.send(id, part);
    }
    // The first that did not fit is told so; the ones before are still waited for.
    assert.equal(await client.refused(15), true);
    assert.equal(
      client.frames.some(({ type, id }) => type === 1 && id === 1),
      false,
    );
    assert.equal(await isServed(service.grpcPort), true);
    client.socket.destroy();
  });
});

test('answers that are not read: no more is asked, nor counted, and others are served', async () => {
  await withService(async ({ service }) => {
    const client = new HostileClient(service.grpcPort, 0);
    const octets = request(100_000);
    const asked = (): number => service.stats.shouldRateLimit.requests;
    let id = 1;
    for (; id < 200; id += 2) {
      client.open(id, shouldRateLimit);
      await client.send(id, octets, true);
      if (await client.refused(id)) break;
    }
    assert.ok(id > 1 && id < 40, `${id}: a few megabytes are kept`);
    assert.equal(asked(), (id - 1) / 2);
    assert.equal(await isServed(service.grpcPort), true);
    // Calls that are given up make room.
    for (let given = 1; given < id; given += 2) client.socket.write(frame(3, 0, given, Uint8Array.of(0, 0, 0, 8)));
    client.open(id + 2, shouldRateLimit);
    await client.send(id + 2, octets, true);
    assert.equal(await client.refused(id + 2), false);
    client.socket.destroy();
  });
});

const quota = '/envoy.service.rate_limit_quota.v3.RateLimitQuotaService/StreamRateLimitQuotas';
