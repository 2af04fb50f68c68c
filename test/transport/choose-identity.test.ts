import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ClientHello } from '#gateway/protocol/client-hello/client-hello.ts';
import {
  type ChoiceRules,
  chooseIdentity,
  chooseProtocol,
  indexIdentities,
} from '#gateway/transport/choose-identity.ts';
import type { Identity } from '#gateway/transport/identity.ts';

function identity(keyType: 'rsa' | 'ecdsa', ...names: string[]): Identity {
  return { names, keyType, group: keyType === 'ecdsa' ? 23 : 0 } as unknown as Identity;
}

const modern: ClientHello = {
  legacyVersion: 0x0303,
  versions: [0x0304, 0x0303],
  cipherSuites: [0x1301, 0xc02b, 0xc02f],
  extensions: [],
  serverName: '',
  applicationProtocols: [],
  groups: [29, 23],
  signatureAlgorithms: [0x0403, 0x0804],
  pointFormats: [],
  offersResumption: false,
};
const rsaOnly: ClientHello = { ...modern, signatureAlgorithms: [0x0804, 0x0401] };
const tls12: ClientHello = { ...modern, versions: [0x0303], signatureAlgorithms: null };
const tls12RsaSuites: ClientHello = { ...tls12, cipherSuites: [0xc02f, 0x009c] };

const index = indexIdentities([
  identity('rsa', 'rsa.test', 'both.test'),
  identity('ecdsa', 'ec.test', 'both.test', '*.wild.test'),
  identity('rsa', '*.wild.test', 'x.wild.test'),
]);

// What Envoy 1.40 chose with certificates like these.
const cases: readonly { name: string; hello: ClientHello; sni: string; want: number; more?: Partial<ChoiceRules> }[] = [
  { name: 'exact name', hello: modern, sni: 'rsa.test', want: 0 },
  { name: 'ECDSA before RSA', hello: modern, sni: 'both.test', want: 1 },
  { name: 'RSA for a client that knows nothing else', hello: rsaOnly, sni: 'both.test', want: 0 },
  { name: 'TLS 1.2 with ECDSA suites', hello: tls12, sni: 'both.test', want: 1 },
  { name: 'TLS 1.2 without', hello: tls12RsaSuites, sni: 'both.test', want: 0 },
  { name: 'wildcard', hello: modern, sni: 'a.wild.test', want: 1 },
  { name: 'wildcard for an RSA client', hello: rsaOnly, sni: 'a.wild.test', want: 2 },
  { name: 'exact before wildcard', hello: modern, sni: 'x.wild.test', want: 2 },
  { name: 'a name that only ECDSA has, an RSA client: the first', hello: rsaOnly, sni: 'ec.test', want: 0 },
  { name: 'an unknown name: the first', hello: modern, sni: 'other.test', want: 0 },
  { name: 'an unknown name with a full scan', hello: modern, sni: 'other.test', want: 1, more: { fullScan: true } },
  { name: 'no name: the best of all', hello: modern, sni: '', want: 1 },
  { name: 'no name, an RSA client', hello: rsaOnly, sni: '', want: 0 },
  { name: 'TLS 1.2 without the curve', hello: { ...tls12, groups: [29, 24] }, sni: 'both.test', want: 0 },
  { name: 'TLS 1.2 without groups', hello: { ...tls12, groups: null }, sni: 'both.test', want: 0 },
  { name: 'TLS 1.2 by SHA-384', hello: { ...tls12, signatureAlgorithms: [0x0503] }, sni: 'both.test', want: 1 },
  { name: 'TLS 1.3 by SHA-384', hello: { ...modern, signatureAlgorithms: [0x0503] }, sni: 'both.test', want: 0 },
  { name: 'a name is required: none', hello: modern, sni: '', want: -1, more: { requireName: true } },
  { name: 'a name is required: unknown', hello: modern, sni: 'other.test', want: -1, more: { requireName: true } },
  { name: 'a name is required: known', hello: modern, sni: 'a.wild.test', want: 1, more: { requireName: true } },
  { name: 'known, but of no use to it', hello: rsaOnly, sni: 'ec.test', want: 0, more: { requireName: true } },
  { name: 'no staple: the next', hello: modern, sni: 'both.test', want: 0, more: { unusable: new Set([1]) } },
  { name: 'no staple anywhere: the first', hello: modern, sni: '', want: 0, more: { unusable: new Set([0, 1, 2]) } },
];
const plain: ChoiceRules = { maxTls13: true, fullScan: false, requireName: false, unusable: new Set() };

describe('chooseIdentity', () => {
  for (const { name, hello, sni, want, more } of cases) {
    it(name, () => {
      assert.equal(chooseIdentity(index, { ...hello, serverName: sni }, { ...plain, ...more }), want);
    });
  }
});

describe('chooseProtocol', () => {
  it('takes the first of ours that is offered, or none', () => {
    assert.equal(chooseProtocol(['h2', 'http/1.1'], ['http/1.1', 'h2']), 'h2');
    assert.equal(chooseProtocol(['h2'], ['h3']), null);
    assert.equal(chooseProtocol([], ['h2']), null);
  });
});
