import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeltaMux } from '#gateway/xds/delta-mux.ts';
import { MuxWorld, secretNamed, secretType, TestWatch } from './mux-world.ts';

const one = (name: string, text = 'x') => ({ name, message: secretNamed(name, text) });

test('names are asked for and given up one by one', () => {
  const world = new MuxWorld();
  const mux = new DeltaMux(world.options());
  const [a, b] = [new TestWatch('a'), new TestWatch('b')];
  mux.watch(secretType, a);
  mux.watch(secretType, b);
  mux.unwatch(secretType, a);
  assert.deepEqual(
    world.deltaRequests().map((request) => [request.resourceNamesSubscribe, request.resourceNamesUnsubscribe]),
    [
      [['a'], []],
      [['b'], []],
      [[], ['a']],
    ],
  );
  mux.close();
});

test('ACK, NACK with the reason, and a new stream that says which versions are held', () => {
  const world = new MuxWorld();
  const mux = new DeltaMux(world.options());
  const [a, b] = [new TestWatch('a'), new TestWatch('b')];
  mux.watch(secretType, a);
  mux.watch(secretType, b);
  world.respondDelta('1', [one('a'), one('b')]);
  assert.deepEqual([...a.told, ...b.told], ['1 a', '1 b']);
  assert.equal(world.deltaRequests().at(-1)!.responseNonce, 'n1');
  a.problem = 'no good';
  world.respondDelta('2', [one('a', 'y'), one('b', 'y')]);
  const nack = world.deltaRequests().at(-1)!;
  assert.deepEqual([nack.responseNonce, nack.errorDetail?.message], ['n2', 'no good']);
  world.streams[0]!.onClose(14, 'gone');
  world.time.advance(1000);
  const again = world.deltaRequests()[0]!;
  assert.deepEqual(again.resourceNamesSubscribe, ['a', 'b']);
  assert.deepEqual(again.initialResourceVersions, { a: 'a@1', b: 'b@2' });
  mux.close();
});

test('what is taken away is told and no longer held; heartbeats and what was not asked for change nothing', () => {
  const world = new MuxWorld();
  const mux = new DeltaMux(world.options());
  const a = new TestWatch('a');
  mux.watch(secretType, a);
  world.respondDelta('1', [one('a'), one('unasked')]);
  world.respondDelta('2', [{ name: 'a', message: null }]);
  world.respondDelta('3', [], ['a', 'unasked']);
  assert.deepEqual(a.told, ['1 a', '3 removed']);
  world.streams[0]!.onClose(14, 'gone');
  world.time.advance(1000);
  assert.deepEqual(world.deltaRequests()[0]!.initialResourceVersions, {});
  mux.close();
});

test('a name twice in one response is refused', () => {
  const world = new MuxWorld();
  const mux = new DeltaMux(world.options());
  const a = new TestWatch('a');
  mux.watch(secretType, a);
  world.respondDelta('1', [one('a'), one('a', 'y')]);
  assert.match(world.deltaRequests().at(-1)!.errorDetail!.message, /^duplicate name a found/);
  assert.match(a.told[0]!, /^rejected duplicate/);
  mux.close();
});
