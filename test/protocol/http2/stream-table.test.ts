import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StreamTable } from '#gateway/protocol/http2/stream-table.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';

const streamOf = (streamId: number): { readonly streamId: number } => ({ streamId });

test('an empty table knows no stream', () => {
  const table = new StreamTable();
  assert.equal(table.size, 0);
  assert.equal(table.get(1), undefined);
  assert.deepEqual(table.snapshot(), []);
  table.delete(streamOf(1));
  assert.equal(table.size, 0);
});

test('another stream with the same identifier is not removed', () => {
  const table = new StreamTable();
  const stream = streamOf(1);
  table.add(stream);
  table.delete(streamOf(1));
  assert.equal(table.get(1), stream);
});

test('holds what a Map would hold: streams that end in any order, some that stay', () => {
  const random = createSeededRandom(7);
  const table = new StreamTable<{ readonly streamId: number }>();
  const model = new Map<number, { readonly streamId: number }>();
  let next = 1;
  for (let step = 0; step < 50_000; step++) {
    const open = [...model.values()];
    if (open.length < 40 && random.next() < (step % 1000 < 500 ? 0.7 : 0.3)) {
      const stream = streamOf(next);
      next += random.next() < 0.1 ? 64 : 2; // refused streams leave gaps, and gaps collide
      model.set(stream.streamId, stream);
      table.add(stream);
    } else if (open.length > 0) {
      const stream = open[Math.floor(random.next() ** 2 * open.length)]!;
      model.delete(stream.streamId);
      table.delete(stream);
      assert.equal(table.get(stream.streamId), undefined);
    }
    assert.equal(table.size, model.size);
    for (const [streamId, stream] of model) assert.equal(table.get(streamId), stream);
    if (step % 100 === 0) assert.deepEqual(table.snapshot(), [...model.values()]);
  }
});
