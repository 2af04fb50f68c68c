import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TlsInfo } from '#gateway/api/connection.ts';
import {
  type ClientCertOptions,
  type ForwardClientCert,
  mutateClientCertHeader,
} from '#gateway/http/forward-client-cert.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { make } from '#test/support/made-certificates.ts';

const leaf = make({ name: 'a "b", c', sans: ['dns:a.test', 'uri:spiffe://a', 'dns:b.test'] });
const own = make({ name: 'own', sans: ['uri:spiffe://own'] });
const nothing = { subject: false, cert: false, chain: false, dns: false, uri: false };

function tlsOf(chain: readonly Uint8Array[], local: Uint8Array | null = null): TlsInfo {
  return {
    version: 'TLSv1.3',
    cipher: 'TLS_AES_128_GCM_SHA256',
    alpn: '',
    serverName: '',
    sessionId: '',
    peerCertificate: chain[0] ?? null,
    peerChain: chain,
    peerIssuer: null,
    localCertificate: local,
    peerValidated: true,
  };
}

function after(forward: ForwardClientCert, tls: TlsInfo | null, sent: readonly string[], more: object = {}): string[] {
  const headers = new HeaderMap();
  for (const value of sent) headers.add('x-forwarded-client-cert', value);
  const options: ClientCertOptions = { forward, ...nothing, ...more };
  mutateClientCertHeader(headers, tls, options);
  return headers.getAll('x-forwarded-client-cert');
}

describe('x-forwarded-client-cert', () => {
  const known = tlsOf([leaf.der], own.der);
  const hash = /^By=spiffe:\/\/own;Hash=[0-9a-f]{64}/;

  it('a client without a certificate may say nothing, but where it always may', () => {
    for (const tls of [null, tlsOf([])]) {
      for (const mode of ['sanitize', 'forward_only', 'append_forward', 'sanitize_set'] as const) {
        assert.deepEqual(after(mode, tls, ['Hash=x']), [], mode);
      }
      assert.deepEqual(after('always_forward_only', tls, ['Hash=x', 'Hash=y']), ['Hash=x,Hash=y']);
    }
  });

  it('a client with a certificate: removed, kept, appended to or replaced', () => {
    assert.deepEqual(after('sanitize', known, ['Hash=x']), []);
    assert.deepEqual(after('forward_only', known, ['Hash=x', 'Hash=y']), ['Hash=x,Hash=y']);
    assert.deepEqual(after('forward_only', known, []), []);
    const [appended] = after('append_forward', known, ['Hash=x', 'Hash=y']);
    assert.match(appended!.slice('Hash=x,Hash=y,'.length), hash);
    assert.match(after('append_forward', known, [])[0]!, hash);
    assert.match(after('sanitize_set', known, ['Hash=x'])[0]!, hash);
  });

  it("says what is asked for, in Envoy's order", () => {
    const [text] = after('sanitize_set', known, [], { subject: true, dns: true, uri: true });
    assert.equal(
      text!.replace(/[0-9a-f]{64}/, ''),
      'By=spiffe://own;Hash=;Subject="CN=a \\"b\\"\\, c";URI=spiffe://a;DNS=a.test;DNS=b.test',
    );
  });

  it('an unreadable certificate says nothing of its own', () => {
    const unreadable = tlsOf([new Uint8Array([1, 2, 3])]);
    assert.deepEqual(after('sanitize_set', unreadable, ['Hash=x']), []);
    assert.deepEqual(after('append_forward', unreadable, ['Hash=x']), ['Hash=x']);
  });
});
