import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { until } from '#test/support/until.ts';
import { untilCounted } from '../support/ask-load.ts';
import { startFakeRedis } from '../support/fake-redis.ts';
import { addTo, openRedisStore } from '../support/open-redis-store.ts';

test('a socket that tells of two errors: neither goes uncaught, and it is connected again', async () => {
  const fake = await startFakeRedis();
  const { store, client, stats } = await openRedisStore(fake.port);
  try {
    assert.equal(await addTo(store, 'a'), 1);
    const { stream } = client as unknown as { readonly stream: Socket };
    // As a TLS socket of Node does when the server turns its certificate down. Without a listener `emit` throws.
    for (const message of ['the server wants another certificate', 'the connection is gone'])
      stream.emit('error', new Error(message));
    stream.destroy();
    await until(() => stats.reconnects === 1);
    assert.equal(await untilCounted(store, 'a'), 2);
  } finally {
    store.close();
    await fake.close();
  }
});
