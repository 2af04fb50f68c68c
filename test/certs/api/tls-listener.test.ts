import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { request } from 'node:https';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { Hono } from 'hono';
import { peerOfRequest, TlsListener } from '#certs/api/tls-listener.ts';
import type { IssuedCertificate } from '#certs/ca/issued-certificate.ts';
import { systemClock } from '#gateway/runtime/clock.ts';
import { createSystemTimers, TimerWheel } from '#gateway/runtime/timers.ts';
import { until } from '#test/support/until.ts';
import { AuthorityWorld, hour } from '../authority-world.ts';

async function ask(port: number, ca: string, identity: IssuedCertificate | null, body: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const own = identity === null ? {} : { cert: identity.chainPem, key: identity.privateKey.reveal() };
    const call = request(
      { host: '127.0.0.1', port, servername: 'localhost', ca, method: 'POST', path: '/', agent: false, ...own },
      (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += String(chunk);
        });
        response.on('end', () => resolve(text));
      },
    );
    call.on('error', reject);
    call.end(body);
  });
}

test('the application sees the certificate of the client, and the own one can be replaced', async (t) => {
  const world = new AuthorityWorld(Date.now());
  const authority = await world.create();
  const issue = async (name: string, template: 'server' | 'client') =>
    await authority.issue({ name, dns: ['localhost'], ip: [], lifetimeMs: hour, template }, 'test');
  const app = new Hono();
  app.post('/', async (c) => {
    const { address, certificate } = peerOfRequest(c);
    const serial = certificate === null ? 'nobody' : new X509Certificate(certificate).serialNumber;
    return c.text(`${serial} ${address} ${(await c.req.text()).length}`);
  });
  const listener = new TlsListener(app, createSystemTimers(systemClock));
  t.after(() => {
    listener.close();
    world.remove();
  });
  listener.setCertificate(await issue('one', 'server'), authority.rootPem);
  const port = await listener.listen('127.0.0.1', 0);
  assert.equal(await ask(port, authority.rootPem, null, 'x'.repeat(20_000)), 'nobody 127.0.0.1 20000');
  for (const template of ['client', 'server'] as const) {
    const identity = await issue('me', template);
    assert.equal(await ask(port, authority.rootPem, identity, ''), `${identity.serial} 127.0.0.1 0`, template);
  }
  listener.setCertificate(await issue('two', 'server'), authority.rootPem);
  assert.match(await ask(port, authority.rootPem, null, ''), /^nobody/);
  const ended = await new Promise<string>((resolve) => {
    const plain = connect(port, '127.0.0.1', () => plain.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n'));
    plain.on('error', () => {});
    plain.on('close', () => resolve('closed'));
    plain.resume();
  });
  assert.equal(ended, 'closed', 'plain HTTP is no handshake');
});

test('connections are bounded in number, time and in what they say', async (t) => {
  const world = new AuthorityWorld(Date.now());
  const authority = await world.create();
  const identity = await authority.issue({ name: 'one', dns: ['localhost'], ip: [], lifetimeMs: hour }, 'test');
  const app = new Hono();
  app.get('/', (c) => c.text('hello'));
  const wheel = new TimerWheel(world, { at: () => {}, cancel: () => {} });
  const listener = new TlsListener(app, wheel);
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    listener.close();
    world.remove();
  });
  listener.setCertificate(identity, authority.rootPem);
  const port = await listener.listen('127.0.0.1', 0);
  const open = async (): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => {});
    socket.resume();
    await new Promise((resolve) => socket.once('connect', resolve));
    return socket;
  };
  let closed = 0;
  for (let i = 0; i < 256; i++) (await open()).once('close', () => closed++);
  const over = await open();
  await new Promise((resolve) => over.once('close', resolve));
  assert.equal(closed, 0, 'those before it are not touched');
  // They say nothing; a minute later they are gone.
  world.now += 61_000;
  wheel.run();
  await until(() => closed === 256);

  const head = await new Promise<string>((resolve) => {
    let text = '';
    const call = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca: authority.rootPem }, () => {
      call.write(`GET / HTTP/1.1\r\nhost: localhost\r\nx-long: ${'x'.repeat(64 * 1024)}\r\n\r\n`);
    });
    call.on('data', (chunk) => {
      text += String(chunk);
      call.destroy();
    });
    call.on('error', () => {});
    call.on('close', () => resolve(text));
  });
  assert.ok(!head.includes('200'), head);
});
