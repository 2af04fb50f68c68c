import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import tls from 'node:tls';
import { AcmeError } from '#certs/acme/acme-error.ts';
import type { AcmeStorage } from '#certs/acme/acme-storage.ts';
import { createChallengeCertificate } from '#certs/acme/challenge-certificate.ts';
import { ChallengeServers } from '#certs/acme/challenge-servers.ts';
import { DiskStorage } from '#certs/acme/disk-storage.ts';
import { DnsHook } from '#certs/acme/dns-hook.ts';
import { createHttpChallengeApp } from '#certs/acme/http-challenge-app.ts';
import { findNameAuthorization, StoredChallenges } from '#certs/acme/stored-challenges.ts';
import { Logger } from '#gateway/base/log.ts';
import { systemClock } from '#gateway/runtime/clock.ts';
import { createSystemRandom } from '#gateway/runtime/random.ts';
import { createSystemTimers } from '#gateway/runtime/timers.ts';
import { tlsCapabilities } from '#gateway/runtime/tls-capabilities.ts';
import { withFolder } from '#test/support/acme-run.ts';

const timers = createSystemTimers(systemClock);
const log = new Logger('acme', { write: () => {} }, 'off');
const token = 'evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA';
const keyAuthorization = `${token}.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI`;

function withServers(work: (servers: ChallengeServers, storage: AcmeStorage) => Promise<void>): Promise<void> {
  return withFolder(async (dir) => {
    const storage = new DiskStorage(join(dir, 's'), systemClock, createSystemRandom());
    const tlsListen = tlsCapabilities.unknownCriticalExtensions ? '127.0.0.1:0' : null;
    const servers = await ChallengeServers.start({
      httpListen: '127.0.0.1:0',
      tlsListen,
      storage,
      clock: systemClock,
      timers,
      log,
    });
    await work(servers, storage).finally(() => servers.close());
  });
}

function get(port: number, path: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = http.get({ port, path, host: '127.0.0.1', agent: false }, (answer) => {
      let text = '';
      answer.on('data', (chunk: Uint8Array) => {
        text += String(chunk);
      });
      answer.on('end', () => resolve({ status: answer.statusCode!, text }));
    });
    request.on('error', reject);
  });
}

describe('http-01', () => {
  it('answers what is pending, and nothing else', () =>
    withServers(async (servers, storage) => {
      const responder = new StoredChallenges('http-01', storage);
      const challenge = { domain: 'a.test', token, keyAuthorization };
      await responder.present(challenge);
      const path = `/.well-known/acme-challenge/${token}`;
      assert.deepEqual(await get(servers.httpPort, path), { status: 200, text: keyAuthorization });
      for (const wrong of ['x', '..%2f..%2fseal', `${token}%00`, 'a'.repeat(5000), `${token}/x`, '']) {
        assert.equal((await get(servers.httpPort, `/.well-known/acme-challenge/${wrong}`)).status, 404, wrong);
      }
      assert.equal((await get(servers.httpPort, '/')).status, 404);
      assert.equal((await get(servers.httpPort, '/healthcheck')).status, 200);
      await responder.remove(challenge);
      assert.equal((await get(servers.httpPort, path)).status, 404);
    }));

  it('says 503 when the storage cannot be asked, so that the authority looks again', async () => {
    const broken = { get: () => Promise.reject(new AcmeError('storage', 'down')) } as unknown as AcmeStorage;
    const answer = await createHttpChallengeApp(broken, log).request(`/.well-known/acme-challenge/${token}`);
    assert.equal(answer.status, 503);
  });
});

/** The certificate that the server shows for a name, or the error's text. */
function shown(port: number, servername: string, protocols: string[]): Promise<X509Certificate | string> {
  return new Promise((resolve) => {
    const socket = tls.connect(
      { port, host: '127.0.0.1', servername, ALPNProtocols: protocols, rejectUnauthorized: false },
      () => {
        assert.equal(socket.alpnProtocol, 'acme-tls/1');
        resolve(new X509Certificate(socket.getPeerCertificate().raw));
        socket.destroy();
      },
    );
    socket.on('error', (error) => resolve(error.message));
    socket.on('close', () => resolve('closed'));
  });
}

describe('answers in the storage', () => {
  it('never reach beyond the tokens, and are removed by the order that put them only', () =>
    withServers(async (_servers, storage) => {
      const responder = new StoredChallenges('tls-alpn-01', storage);
      const first = { domain: 'a.test', token, keyAuthorization };
      const second = { ...first, keyAuthorization: 'other' };
      await responder.present(first);
      await responder.present(second);
      await responder.remove(first);
      assert.equal(await findNameAuthorization(storage, 'A.test'), 'other');
      await responder.remove(second);
      assert.equal(await findNameAuthorization(storage, 'a.test'), null);
      const outside = new StoredChallenges('http-01', storage).present({ ...first, token: '../../../../x/0123456789' });
      await assert.rejects(outside, /token for a\.test is not base64url/);
    }));
});

describe('tls-alpn-01', () => {
  if (!tlsCapabilities.unknownCriticalExtensions) {
    it('is refused by name on Deno, with what to do instead', async () => {
      const storage = {} as AcmeStorage;
      const started = ChallengeServers.start({
        httpListen: null,
        tlsListen: '127.0.0.1:0',
        storage,
        clock: systemClock,
        timers,
        log,
      });
      await assert.rejects(
        started,
        /tls-alpn-01 is not possible on Deno.*run certs\/ on Bun or Node, or use http-01 or dns-01/,
      );
    });
    return;
  }

  it('shows the name, and the digest in a critical extension', () =>
    withServers(async (servers, storage) => {
      await new StoredChallenges('tls-alpn-01', storage).present({ domain: 'a.test', token, keyAuthorization });
      const certificate = await shown(servers.tlsPort, 'A.test', ['acme-tls/1']);
      assert.ok(certificate instanceof X509Certificate, String(certificate));
      assert.equal(certificate.subjectAltName, 'DNS:a.test');
      const digest = createHash('sha256').update(keyAuthorization).digest('hex');
      assert.ok(certificate.raw.toString('hex').includes(`06082b0601050507011f0101ff04220420${digest}`));
    }));

  it('closes what is no challenge: another protocol, no pending name, no TLS, and goes on', () =>
    withServers(async (servers, storage) => {
      await new StoredChallenges('tls-alpn-01', storage).present({ domain: 'a.test', token, keyAuthorization });
      assert.equal(typeof (await shown(servers.tlsPort, 'a.test', ['h2'])), 'string');
      assert.equal(typeof (await shown(servers.tlsPort, 'b.test', ['acme-tls/1'])), 'string');
      for (const octets of [
        'GET / HTTP/1.1\r\n\r\n',
        '\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00',
        '\x16\x03\x01\xff\xff',
      ]) {
        await new Promise<void>((done) => {
          const socket = net.connect(servers.tlsPort, '127.0.0.1', () => socket.write(octets, 'latin1'));
          socket.on('error', () => {});
          socket.on('close', () => done());
        });
      }
      assert.ok((await shown(servers.tlsPort, 'a.test', ['h2', 'acme-tls/1'])) instanceof X509Certificate);
    }));

  it('has a certificate per name and key authorization', async () => {
    const { certificateChain } = await createChallengeCertificate('b.test', 'x.y', Date.UTC(2026, 0, 2));
    const certificate = new X509Certificate(certificateChain);
    assert.equal(certificate.subjectAltName, 'DNS:b.test');
    assert.ok(certificate.verify(certificate.publicKey));
  });
});

describe('dns-01', () => {
  const challenge = { domain: 'a.test', token, keyAuthorization: 'value; touch $(pwd)/x' };
  const hook = (command: readonly string[]): DnsHook =>
    new DnsHook({ command, timeoutMs: 5000, waitMs: 0, propagation: null, timers, log });

  it('runs the hook without a shell: add, then remove, with name and value as they are', () =>
    withFolder(async (dir) => {
      const seen = join(dir, 'seen');
      const responder = hook(['sh', '-c', 'printf "%s\\n" "$@" >>"$0"', seen]);
      await responder.present(challenge);
      await responder.remove(challenge);
      const lines = ['_acme-challenge.a.test', challenge.keyAuthorization];
      assert.equal(readFileSync(seen, 'utf8'), `${['add', ...lines, 'remove', ...lines].join('\n')}\n`);
      assert.ok(!existsSync(join(dir, 'x')));
    }));

  it('names a hook that fails or is missing, with the end of what it said', async () => {
    await assert.rejects(
      hook(['sh', '-c', 'echo no such zone >&2; exit 3']).present(challenge),
      /DNS hook 'sh' add _acme-challenge\.a\.test: ended with code 3: no such zone/,
    );
    await assert.rejects(hook(['/nonexistent/hook']).present(challenge), /DNS hook '\/nonexistent\/hook' add/);
  });
});
