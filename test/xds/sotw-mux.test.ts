import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMessage, packAny } from '#gateway/proto/registry.ts';
import { SotwMux } from '#gateway/xds/sotw-mux.ts';
import type { RateLimitSettings } from '#proto-types/envoy/config/core/v3/config_source_pb.ts';
import type { Resource } from '#proto-types/envoy/service/discovery/v3/discovery_pb.ts';
import { MuxWorld, secretNamed, secretType, TestWatch } from './mux-world.ts';

test('several names share a stream; each change of them is a request with all', () => {
  const world = new MuxWorld();
  const mux = new SotwMux(world.options());
  const [a, b] = [new TestWatch('a'), new TestWatch('b')];
  mux.watch(secretType, a);
  mux.watch(secretType, b);
  assert.equal(world.streams.length, 1);
  assert.deepEqual(
    world.requests().map(({ resourceNames }) => resourceNames),
    [['a'], ['a', 'b']],
  );
  assert.equal(world.requests()[1]!.node!.id, 'me');
  world.respond('1', [secretNamed('a'), secretNamed('b'), secretNamed('unasked')]);
  assert.deepEqual([...a.told, ...b.told], ['1 a', '1 b']);
  const ack = world.requests().at(-1)!;
  assert.deepEqual([ack.versionInfo, ack.responseNonce, ack.errorDetail], ['1', 'n1', undefined]);
  assert.equal(world.store.texts().find(({ name }) => name === 'control_plane.identifier')!.value, 'plane');
  mux.unwatch(secretType, a);
  assert.deepEqual(world.requests().at(-1)!.resourceNames, ['b']);
  mux.close();
  assert.equal(world.resets, 1);
  assert.equal(world.stat('control_plane.connected_state'), 0);
});

test('the node is sent once where that is asked for', () => {
  const world = new MuxWorld();
  const mux = new SotwMux(world.options({ nodeOnFirstOnly: true }));
  mux.watch(secretType, new TestWatch('a'));
  world.respond('1', []);
  assert.deepEqual(
    world.requests().map(({ node }) => node?.id),
    ['me', undefined],
  );
  mux.close();
});

test('a bad resource is refused with its reason, and does not hold up the others', () => {
  const world = new MuxWorld();
  const mux = new SotwMux(world.options());
  const [a, b] = [new TestWatch('a'), new TestWatch('b')];
  mux.watch(secretType, a);
  mux.watch(secretType, b);
  world.respond('1', [secretNamed('a'), secretNamed('b')]);
  a.problem = 'a does not fit';
  world.respond('2', [secretNamed('a', 'y'), secretNamed('b', 'y')]);
  assert.deepEqual(b.told, ['1 b', '2 b']);
  const nack = world.requests().at(-1)!;
  assert.deepEqual([nack.versionInfo, nack.responseNonce, nack.errorDetail?.message], ['1', 'n2', 'a does not fit']);
  mux.close();
});

test('a server that answers a refusal with the same again is not answered at once: the pauses grow', () => {
  const world = new MuxWorld();
  const mux = new SotwMux(world.options());
  const a = new TestWatch('a');
  a.problem = 'no';
  mux.watch(secretType, a);
  for (let i = 1; i <= 40; i++) {
    const before = world.requests().length;
    world.respond('2', [secretNamed('a')], `n${i}`);
    if (i === 1) assert.equal(world.requests().length, before + 1);
    else {
      assert.equal(world.requests().length, before);
      world.time.advance(30_008);
      assert.equal(world.requests().length, before + 1);
    }
    assert.equal(world.requests().at(-1)!.responseNonce, `n${i}`);
  }
  a.problem = '';
  world.respond('3', [secretNamed('a', 'good')]);
  assert.equal(world.requests().at(-1)!.versionInfo, '3');
  mux.close();
});

test('what takes time to judge is answered when it is judged, and not on another stream', () => {
  const world = new MuxWorld();
  const mux = new SotwMux(world.options());
  const a = new TestWatch('a');
  a.waiting = [];
  mux.watch(secretType, a);
  world.respond('1', [secretNamed('a')]);
  assert.equal(world.requests().length, 1);
  a.waiting.shift()!('');
  assert.equal(world.requests()[1]!.versionInfo, '1');
  world.respond('2', [secretNamed('a', 'y')]);
  world.streams[0]!.onClose(14, 'gone');
  world.time.advance(1000);
  assert.equal(world.requests().length, 1);
  a.waiting.shift()!('');
  assert.equal(world.requests().length, 1);
  mux.close();
});

test('a stream that fails is opened again after a pause that grows, with the version in force and no nonce', () => {
  const world = new MuxWorld();
  const mux = new SotwMux(world.options());
  const a = new TestWatch('a');
  mux.watch(secretType, a);
  assert.equal(world.stat('control_plane.connected_state'), 1);
  world.respond('1', [secretNamed('a')]);
  world.unreachable = true;
  world.streams[0]!.onClose(14, 'gone');
  assert.equal(world.stat('control_plane.connected_state'), 0);
  assert.match(a.told.at(-1)!, /^failed the stream was closed: 14, gone/);
  world.time.advance(300_000);
  const attempts = world.streams.length;
  assert.ok(attempts >= 14 && attempts < 60, `${attempts} attempts in five minutes`);
  world.unreachable = false;
  world.time.advance(30_008);
  const first = world.requests()[0]!;
  assert.deepEqual([first.versionInfo, first.responseNonce, first.resourceNames], ['1', '', ['a']]);
  mux.close();
});

test('wrappers are looked into, heartbeats change nothing, wrong types and malformed messages are refused', () => {
  const world = new MuxWorld();
  const mux = new SotwMux(world.options());
  const a = new TestWatch('a');
  mux.watch(secretType, a);
  const wrap = (fields: object): Resource => createMessage<Resource>('envoy.service.discovery.v3.Resource', fields);
  world.respond('1', [wrap({ name: 'a', resource: packAny(secretNamed('a')), ttl: { seconds: 5n } })]);
  world.respond('2', [wrap({ name: 'a', ttl: { seconds: 5n } })]);
  assert.deepEqual(a.told, ['1 a']);
  assert.equal(world.requests().at(-1)!.versionInfo, '2');
  world.respond('3', [createMessage('envoy.config.core.v3.Node')]);
  assert.match(world.requests().at(-1)!.errorDetail!.message, /does not match the message-wide type URL/);
  assert.match(a.told.at(-1)!, /^rejected/);
  world.streams[0]!.onMessage(new Uint8Array([0xff, 0xff, 0xff]));
  assert.equal(world.resets, 1);
  assert.match(a.told.at(-1)!, /^failed the response is malformed/);
  mux.close();
});

test('who comes to a name that is known gets what is known', () => {
  const world = new MuxWorld();
  const mux = new SotwMux(world.options());
  const [first, second] = [new TestWatch('a'), new TestWatch('a')];
  mux.watch(secretType, first);
  world.respond('1', [secretNamed('a')]);
  const requests = world.requests().length;
  mux.watch(secretType, second);
  assert.deepEqual(second.told, ['1 a']);
  assert.equal(world.requests().length, requests);
  mux.unwatch(secretType, first);
  assert.equal(world.requests().length, requests);
  mux.close();
});

test('rate_limit_settings: requests above the rate wait, and are counted', () => {
  const world = new MuxWorld();
  const rateLimit = createMessage<RateLimitSettings>('envoy.config.core.v3.RateLimitSettings', {
    maxTokens: 2,
    fillRate: 1,
  });
  const mux = new SotwMux(world.options({ rateLimit }));
  for (const name of ['a', 'b', 'c', 'd']) mux.watch(secretType, new TestWatch(name));
  assert.equal(world.requests().length, 2);
  assert.equal(world.stat('control_plane.pending_requests'), 2);
  assert.ok(world.stat('control_plane.rate_limit_enforced') >= 1);
  world.time.advance(1016);
  assert.equal(world.requests().length, 3);
  world.time.advance(1016);
  assert.equal(world.requests().length, 4);
  assert.equal(world.stat('control_plane.pending_requests'), 0);
  mux.close();
});
