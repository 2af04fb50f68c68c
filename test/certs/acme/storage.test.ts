import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { AcmeStorage } from '#certs/acme/acme-storage.ts';
import { DiskStorage } from '#certs/acme/disk-storage.ts';
import { RedisStorage } from '#certs/acme/redis-storage.ts';
import { requireUnsealed, SealedStorage } from '#certs/acme/sealed-storage.ts';
import { StoreSecret } from '#certs/ca/encrypted-private-key.ts';
import { createSystemRandom } from '#gateway/runtime/random.ts';
import { withFolder } from '#test/support/acme-run.ts';
import { peerTest } from '#test/support/peers.ts';
import { startRedis } from '#test/support/redis.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

const random = createSystemRandom();
const secret = (text: string): StoreSecret => new StoreSecret(new TextEncoder().encode(text));

/** What every storage has to do. `pass` lets a lock's 60 seconds end. */
async function behaves(storage: AcmeStorage, pass: () => Promise<void>): Promise<void> {
  assert.equal(await storage.get('certificate/edge'), null);
  await storage.put('certificate/edge', 'one');
  await storage.put('certificate/edge', 'two');
  await storage.put('certificate/api', 'three', 60_000);
  assert.equal(await storage.get('certificate/edge'), 'two');
  assert.deepEqual(await storage.list('certificate'), ['api', 'edge']);
  assert.deepEqual(await storage.list('nothing'), []);
  await storage.delete('certificate/api');
  await storage.delete('certificate/api');
  assert.deepEqual(await storage.list('certificate'), ['edge']);

  const lock = await storage.acquire('order/edge', 60_000);
  assert.ok(lock !== null);
  assert.equal(await storage.acquire('order/edge', 60_000), null);
  assert.notEqual(await storage.acquire('order/api', 60_000), null);
  assert.equal(await lock.extend(), true);
  await lock.release();
  const second = await storage.acquire('order/edge', 60_000);
  assert.ok(second !== null);
  await lock.release(); // no longer its own: nothing happens
  assert.equal(await lock.extend(), false);
  assert.equal(await storage.acquire('order/edge', 60_000), null);
  await pass();
  const third = await storage.acquire('order/edge', 60_000);
  assert.ok(third !== null, 'the lock of a process that died gives way');
  assert.equal(await second.extend(), false);
  await storage.close();
}

describe('storage on disk', () => {
  it('keeps, lists, removes and locks', async () => {
    await withFolder(async (dir) => {
      const time = new VirtualTime();
      await behaves(new DiskStorage(join(dir, 's'), time, random), () => Promise.resolve(time.advance(61_000)));
      assert.equal(statSync(join(dir, 's')).mode & 0o777, 0o700);
      assert.equal(statSync(join(dir, 's', 'certificate', 'edge')).mode & 0o777, 0o600);
    });
  });

  it('of several who find a stale lock one takes it', async () => {
    await withFolder(async (dir) => {
      const time = new VirtualTime();
      const replicas = Array.from({ length: 8 }, () => new DiskStorage(join(dir, 's'), time, random));
      for (let round = 0; round < 20; round++) {
        const locks = await Promise.all(replicas.map((replica) => replica.acquire('order/edge', 60_000)));
        assert.equal(locks.filter((lock) => lock !== null).length, 1);
        time.advance(61_000);
      }
      assert.deepEqual(readdirSync(join(dir, 's', 'lock')), ['order.edge']);
    });
  });

  it('refuses a folder that others may look into, and says what to do', async () => {
    await withFolder((dir) => {
      const open = join(dir, 'open');
      mkdirSync(open);
      chmodSync(open, 0o755);
      assert.throws(() => new DiskStorage(open, new VirtualTime(), random), /mode 0755.*chmod 0700/);
      return Promise.resolve();
    });
  });
});

describe('encrypted storage', () => {
  it('keeps, lists, removes and locks; nothing is readable without the passphrase', async () => {
    await withFolder(async (dir) => {
      const time = new VirtualTime();
      const inner = new DiskStorage(join(dir, 's'), time, random);
      await behaves(await SealedStorage.open(inner, secret('correct horse'), new VirtualTime().timers), () =>
        Promise.resolve(time.advance(61_000)),
      );
      const text = readFileSync(join(dir, 's', 'certificate', 'edge'), 'utf8');
      assert.match(text, /^sealed1:/);
      assert.ok(!text.includes('two'));
      const again = await SealedStorage.open(inner, secret('correct horse'), new VirtualTime().timers);
      assert.equal(await again.get('certificate/edge'), 'two');
      await assert.rejects(
        SealedStorage.open(inner, secret('wrong horse'), new VirtualTime().timers),
        /is this the passphrase/,
      );
      await assert.rejects(requireUnsealed(inner), /--passphrase-file/);
      await inner.put('certificate/api', text);
      await assert.rejects(again.get('certificate/api'), /cannot be decrypted/, 'a value under another name');
    });
  });

  it('does not begin over a storage that is in use in the clear', async () => {
    await withFolder(async (dir) => {
      const inner = new DiskStorage(join(dir, 's'), new VirtualTime(), random);
      await inner.put('account/x', '{}');
      await assert.rejects(
        SealedStorage.open(inner, secret('correct horse'), new VirtualTime().timers),
        /without a passphrase/,
      );
    });
  });
});

peerTest('redis-server', 'storage in Redis keeps, lists, removes and locks', async (binary) => {
  const redis = await startRedis(binary);
  const url = `redis://127.0.0.1:${redis.port}`;
  const { Redis } = await import('ioredis');
  const client = new Redis(url);
  try {
    // The server's own clock cannot be moved: the lock's end is brought about instead.
    const pass = async (): Promise<void> => {
      await client.pexpire('t:lock/order/edge', 1);
      while ((await client.exists('t:lock/order/edge')) === 1) await new Promise((done) => setImmediate(done));
    };
    await behaves(new RedisStorage(url, 't:', random), pass);
    assert.deepEqual(
      (await client.keys('*')).filter((key) => !key.startsWith('t:')),
      [],
    );
  } finally {
    client.disconnect();
    await redis.program.stop();
  }
});

describe('storage that cannot be used', () => {
  it('is named, without its password', async () => {
    const storage = new RedisStorage('redis://user:secret@127.0.0.1:1', 't:', random);
    await assert.rejects(storage.get('x'), (error: Error) => {
      assert.match(error.message, /redis:\/\/127\.0\.0\.1:1/);
      assert.ok(!error.message.includes('secret'));
      return true;
    });
    await storage.close();
  });
});
