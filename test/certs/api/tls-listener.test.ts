import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { request } from 'node:https';
import { connect } from 'node:net';
import { test } from 'node:test';
import { Hono } from 'hono';
import { peerOfRequest, TlsListener } from '#certs/api/tls-listener.ts';
import type { IssuedCertificate } from '#certs/ca/issued-certificate.ts';
import { systemClock } from '#gateway/runtime/clock.ts';
import { createSystemTimers } from '#gateway/runtime/timers.ts';
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
