import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import type { RedisTls } from '#ratelimit/store/redis-target.ts';
import { make } from '#test/support/made-certificates.ts';
import { peerTest } from '#test/support/peers.ts';
import { startRedis } from '#test/support/redis.ts';
import { freePorts } from '#test/support/running-program.ts';
import { addTo, openRedisStore } from '../support/open-redis-store.ts';

const once = { initialMs: 20, maxMs: 20, maxElapsedMs: 1, answerMs: 2000 };

peerTest('redis-server', 'a password, a user of its own, and the wrong ones', async (binary) => {
  const redis = await startRedis(binary, 0, ['--requirepass', 'pass:word']);
  const admin = new Redis(redis.port, '127.0.0.1', { password: 'pass:word' });
  await admin.acl('SETUSER', 'limits', 'on', '>se:cret', '~*', '+incrby', '+expire', '+ping');
  try {
    for (const target of [
      { auth: 'default:pass:word' },
      { auth: 'limits:se:cret' },
      { url: `redis://limits:se:cret@127.0.0.1:${redis.port}` },
    ]) {
      const { store, client } = await openRedisStore(redis.port, {}, target);
      assert.ok((await addTo(store, 'a')) >= 1);
      assert.equal(client.options.disableClientInfo, true);
      store.close();
    }
    assert.equal(await admin.get('a'), '3');
    for (const [auth, message] of [
      ['', /NOAUTH/],
      ['wrong', /WRONGPASS/],
      ['nobody:secret', /WRONGPASS/],
    ] as const) {
      await assert.rejects(openRedisStore(redis.port, {}, { auth }, once), ({ message: said }: Error) => {
        assert.match(said, /^cannot reach redis at /);
        return message.test(said);
      });
    }
  } finally {
    admin.disconnect();
    await redis.program.stop();
  }
});

peerTest('redis-server', 'a unix socket', async (binary) => {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-redis-'));
  const path = join(directory, 'redis.sock');
  const redis = await startRedis(binary, 0, ['--unixsocket', path]);
  const { store } = await openRedisStore(0, {}, { socketType: 'unix', url: path });
  try {
    assert.equal(await addTo(store, 'a'), 1);
  } finally {
    store.close();
    await redis.program.stop();
    rmSync(directory, { recursive: true });
  }
});

peerTest('redis-server', 'TLS and mutual TLS: the chain, the name and the client are verified', async (binary) => {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-redis-'));
  const ca = make({ name: 'Test CA', ca: true });
  const server = make({ name: 'redis', issuer: ca, sans: ['ip:127.0.0.1'], purposes: ['server', 'client'] });
  const client = make({ name: 'limits', issuer: ca, purposes: ['client'] });
  const other = make({ name: 'Other CA', ca: true });
  const stranger = make({ name: 'redis', issuer: ca, sans: ['dns:elsewhere.test'], purposes: ['server'] });
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  const start = async (
    named: typeof server,
    mutual: boolean,
  ): Promise<{ port: number; stop: () => Promise<unknown> }> => {
    const [port = 0] = await freePorts(1);
    const tls = ['--tls-port', String(port), '--tls-ca-cert-file', file('ca.pem', ca.pem)];
    const own = [
      '--tls-cert-file',
      file(`${named.serial}.pem`, named.pem),
      '--tls-key-file',
      file(`${named.serial}.key`, named.key),
    ];
    const redis = await startRedis(binary, 0, [...tls, ...own, '--tls-auth-clients', mutual ? 'yes' : 'no']);
    return { port, stop: async () => await redis.program.stop() };
  };
  const plain: RedisTls = { ca: ca.pem, cert: null, key: null, skipHostname: false };
  const attempt = async (port: number, tls: RedisTls): Promise<string> => {
    try {
      const { store } = await openRedisStore(port, {}, { tls }, once);
      const counted = await addTo(store, 'a');
      store.close();
      return String(counted);
    } catch (error) {
      return (error as Error).message.replace(/^cannot reach redis at [^ ]* /, '');
    }
  };
  const named = await start(server, false);
  const mutual = await start(server, true);
  const elsewhere = await start(stranger, false);
  try {
    assert.equal(await attempt(named.port, plain), '1');
    assert.doesNotMatch(await attempt(named.port, { ...plain, ca: other.pem }), /^\d+$/);
    assert.doesNotMatch(await attempt(mutual.port, plain), /^\d+$/);
    assert.equal(await attempt(mutual.port, { ...plain, cert: client.pem, key: client.key }), '1');
    assert.doesNotMatch(await attempt(elsewhere.port, plain), /^\d+$/);
    assert.equal(await attempt(elsewhere.port, { ...plain, skipHostname: true }), '1');
    assert.doesNotMatch(await attempt(elsewhere.port, { ...plain, ca: other.pem, skipHostname: true }), /^\d+$/);
  } finally {
    await Promise.all([named.stop(), mutual.stop(), elsewhere.stop()]);
    rmSync(directory, { recursive: true });
  }
});
