import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type TlsCapability, tlsCapabilities } from '#gateway/runtime/tls-capabilities.ts';
import { createCertificate } from '#test/support/certificates.ts';
import { type GatewayProcess, ownRuntime, startGateway } from '#test/support/gateway-process.ts';
import { createOcspResponse } from '#test/support/ocsp.ts';
import { opensslClient } from '#test/support/openssl-client.ts';
import { findPeer } from '#test/support/peers.ts';
import { type RawAnswer, type RawHello, sayHello } from '#test/support/raw-tls-client.ts';
import { answeringChain } from '#test/support/tls-listeners.ts';

const ca = await createCertificate({ name: 'ca', ca: true });
const identity = await createCertificate({ name: 'server', sans: ['dns:x.test'], issuer: ca });
const fresh = await createOcspResponse(identity, ca, new Date(Date.now() + 86_400_000));
const stale = await createOcspResponse(identity, ca, new Date(Date.now() - 86_400_000));

const aes128 = 0xc02b;
const aes256 = 0xc02c;
const hello: RawHello = {
  suites: [aes128, aes256],
  groups: [29, 23],
  signatureAlgorithms: [0x0403],
  serverName: 'x.test',
};
const ticketKey = Buffer.alloc(80, 7).toString('base64');

interface Setting {
  /** What the runtime must be able to do; null: every runtime does it. */
  readonly needs: TlsCapability | null;
  /** Further fields of common_tls_context, of the certificate and of the DownstreamTlsContext. */
  readonly common?: string;
  readonly certificate?: string;
  readonly more?: string;
  check(gateway: GatewayProcess, listener: string): Promise<void>;
}

const say = (gateway: GatewayProcess, listener: string, change: Partial<RawHello> = {}): Promise<RawAnswer> =>
  sayHello(gateway.port(listener), { ...hello, ...change });

const sessions = mkdtempSync(join(tmpdir(), 'sluice-tls-'));

/** Whether OpenSSL's client gets a session at one listener and resumes it at another. */
async function resumes(gateway: GatewayProcess, version: string, first: string, second: string, waitMs = 0) {
  const file = join(sessions, `${first}${version}`.replaceAll(' ', '-'));
  const request = ['GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'];
  const quiet = ['-servername', 'x.test', version, '-ign_eof'];
  await opensslClient(gateway.port(first), [...quiet, '-sess_out', file], request);
  try {
    readFileSync(file);
  } catch {
    return false; // none was given
  }
  await delay(waitMs);
  return (await opensslClient(gateway.port(second), [...quiet, '-sess_in', file], request)).reused;
}

const settings: Readonly<Record<string, Setting>> = {
  'nothing set': {
    needs: null,
    async check(gateway, listener) {
      assert.equal((await say(gateway, listener)).subject, 'server');
      for (const version of ['-tls1_2', '-tls1_3']) assert.ok(await resumes(gateway, version, listener, listener));
    },
  },
  'TLS 1.3 alone': {
    needs: null,
    common: 'tls_params: { tls_minimum_protocol_version: TLSv1_3 }',
    async check(gateway, listener) {
      assert.equal((await say(gateway, listener)).alert, 70);
      assert.equal((await opensslClient(gateway.port(listener), [])).version, 'TLSv1.3');
    },
  },
  'TLS 1.2 alone': {
    needs: null,
    common: 'tls_params: { tls_maximum_protocol_version: TLSv1_2 }',
    async check(gateway, listener) {
      assert.equal((await say(gateway, listener, { versions: [0x0304], suites: [0x1301] })).alert, 70);
      assert.equal((await opensslClient(gateway.port(listener), [])).version, 'TLSv1.2');
    },
  },
  cipher_suites: {
    needs: 'cipherSuites',
    common: 'tls_params: { cipher_suites: [ECDHE-ECDSA-AES256-GCM-SHA384] }',
    async check(gateway, listener) {
      assert.equal((await say(gateway, listener)).suite, aes256);
      assert.equal((await say(gateway, listener, { suites: [aes128] })).alert, 40);
      assert.equal((await opensslClient(gateway.port(listener), [])).version, 'TLSv1.3');
    },
  },
  ecdh_curves: {
    needs: 'ecdhCurves',
    common: 'tls_params: { ecdh_curves: [P-256] }',
    async check(gateway, listener) {
      assert.equal((await say(gateway, listener)).subject, 'server');
      assert.equal((await say(gateway, listener, { groups: [29, 24] })).alert, 40);
    },
  },
  signature_algorithms: {
    needs: 'signatureAlgorithms',
    common: 'tls_params: { signature_algorithms: [rsa_pss_rsae_sha256] }',
    async check(gateway, listener) {
      assert.equal((await say(gateway, listener, { signatureAlgorithms: [0x0403, 0x0804] })).alert, 40);
    },
  },
  prefer_client_ciphers: {
    needs: 'clientCipherOrder',
    more: 'prefer_client_ciphers: true',
    async check(gateway, listener) {
      assert.equal((await say(gateway, listener, { suites: [aes128, aes256] })).suite, aes128);
      assert.equal((await say(gateway, listener, { suites: [aes256, aes128] })).suite, aes256);
    },
  },
  disable_stateless_session_resumption: {
    needs: 'sessionTicketsOff',
    more: 'disable_stateless_session_resumption: true',
    async check(gateway, listener) {
      for (const version of ['-tls1_2', '-tls1_3']) {
        assert.equal(await resumes(gateway, version, listener, listener), false);
      }
    },
  },
  session_timeout: {
    needs: 'sessionTimeout',
    more: 'session_timeout: 1s',
    async check(gateway, listener) {
      assert.equal(await resumes(gateway, '-tls1_3', listener, listener, 2100), false);
    },
  },
  session_ticket_keys: {
    needs: 'sessionTicketKeys',
    more: `session_ticket_keys: { keys: [{ inline_bytes: "${ticketKey}" }] }`,
    async check(gateway, listener) {
      for (const version of ['-tls1_2', '-tls1_3']) {
        assert.ok(await resumes(gateway, version, listener, 'the same keys'), version);
        assert.equal(await resumes(gateway, version, 'nothing set', listener), false);
      }
    },
  },
  'the same keys': {
    needs: 'sessionTicketKeys',
    more: `session_ticket_keys: { keys: [{ inline_bytes: "${ticketKey}" }] }`,
    check: async () => {},
  },
  ocsp_staple: {
    needs: 'ocspStapling',
    certificate: 'ocsp_staple: { filename: "{dir}/fresh.der" }',
    more: 'ocsp_staple_policy: MUST_STAPLE',
    async check(gateway, listener) {
      assert.ok((await say(gateway, listener, { statusRequest: true })).stapled);
      const unasked = await say(gateway, listener);
      assert.deepEqual([unasked.stapled, unasked.subject], [false, 'server']);
    },
  },
  'a stale staple, lenient': {
    needs: 'ocspStapling',
    certificate: 'ocsp_staple: { filename: "{dir}/stale.der" }',
    async check(gateway, listener) {
      const answer = await say(gateway, listener, { statusRequest: true });
      assert.deepEqual([answer.stapled, answer.subject], [false, 'server']);
    },
  },
  'a stale staple, strict': {
    needs: 'ocspStapling',
    certificate: 'ocsp_staple: { filename: "{dir}/stale.der" }',
    more: 'ocsp_staple_policy: STRICT_STAPLING',
    async check(gateway, listener) {
      assert.equal((await say(gateway, listener, { statusRequest: true })).alert, 40);
      assert.equal((await say(gateway, listener)).subject, 'server');
    },
  },
  key_log: {
    needs: 'keyLog',
    common: 'key_log: { path: "{dir}/keys.log", local_address_range: [{ address_prefix: 127.0.0.1, prefix_len: 32 }] }',
    async check(gateway, listener) {
      await opensslClient(gateway.port(listener), ['-tls1_3']);
      const log = join(gateway.dir, 'keys.log');
      const line = /^SERVER_TRAFFIC_SECRET_0 [0-9a-f]{64} [0-9a-f]+$/m;
      for (let i = 0; i < 200 && !line.test(readFileSync(log, 'utf8')); i++) await delay(25);
      assert.match(readFileSync(log, 'utf8'), line);
    },
  },
  'key_log for others': {
    needs: 'keyLog',
    common: 'key_log: { path: "{dir}/none.log", remote_address_range: [{ address_prefix: 10.0.0.0, prefix_len: 8 }] }',
    async check(gateway, listener) {
      await opensslClient(gateway.port(listener), ['-tls1_3']);
      assert.equal(readFileSync(join(gateway.dir, 'none.log'), 'utf8'), '');
    },
  },
  require_sni: {
    needs: null,
    more: 'require_sni: true',
    async check(gateway, listener) {
      assert.equal((await say(gateway, listener)).subject, 'server');
      assert.equal((await say(gateway, listener, { serverName: 'y.test' })).alert, 112);
      const { serverName: _, ...nameless } = hello;
      assert.equal((await sayHello(gateway.port(listener), nameless)).alert, 112);
    },
  },
};

function listenerOf(name: string, { common, certificate, more }: Setting): string {
  const pair = [
    'certificate_chain: { filename: "{dir}/c.pem" }',
    'private_key: { filename: "{dir}/c.key" }',
    ...(certificate === undefined ? [] : [certificate]),
  ].join(', ');
  const fields = [`tls_certificates: [{ ${pair} }]`, ...(common === undefined ? [] : [common])].join(', ');
  return answeringChain(name, { common: `{ ${fields} }`, ...(more === undefined ? {} : { more }) });
}

const files = {
  'c.pem': identity.certificate,
  'c.key': identity.privateKey,
  'fresh.der': fresh,
  'stale.der': stale,
};
const start = (names: readonly string[]): Promise<GatewayProcess> =>
  startGateway(`static_resources:\n  listeners:${names.map((name) => listenerOf(name, settings[name]!)).join('')}\n`, {
    files,
  });

const honoured = Object.keys(settings).filter((name) => {
  const { needs } = settings[name]!;
  return needs === null || tlsCapabilities[needs];
});
const skip = findPeer('openssl') === null ? { skip: 'openssl is not installed' } : {};

describe('what DownstreamTlsContext asks of TLS', skip, () => {
  let gateway: GatewayProcess;
  before(async () => {
    gateway = await start(honoured);
  });
  after(async () => {
    await gateway?.stop();
    rmSync(sessions, { recursive: true, force: true });
  });

  for (const [name, setting] of Object.entries(settings)) {
    if (honoured.includes(name)) {
      it(`${name} is honoured`, () => setting.check(gateway, name));
      continue;
    }
    it(`${name} is refused at load, with the way out`, async () => {
      const own = { bun: 'Bun', deno: 'Deno', node: 'Node' }[ownRuntime];
      await assert.rejects(start([name]), new RegExp(`error: \\S+: .*${own} cannot .*; remove the field or run on`));
    });
  }

  it('a staple for another certificate is refused at load', async () => {
    if (!tlsCapabilities.ocspStapling) return;
    const other = await createCertificate({ name: 'other', issuer: ca });
    const misfit = { ...files, 'c.pem': other.certificate, 'c.key': other.privateKey };
    const config = `static_resources:\n  listeners:${listenerOf('x', settings['ocsp_staple']!)}\n`;
    await assert.rejects(startGateway(config, { files: misfit }), /does not match its TLS certificate/);
  });
});
