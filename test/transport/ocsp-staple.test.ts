import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { describe, it } from 'node:test';
import type { ClientHello } from '#gateway/protocol/client-hello/client-hello.ts';
import {
  asksForStaple,
  missingStaple,
  type OcspStaple,
  parseOcspStaple,
  type StapleAction,
  type StaplePolicy,
  stapleAction,
} from '#gateway/transport/ocsp-staple.ts';
import { createCertificate, mustStapleExtension } from '#test/support/certificates.ts';
import { createOcspResponse } from '#test/support/ocsp.ts';

const ca = await createCertificate({ name: 'ca', ca: true });
const plain = await createCertificate({ name: 'plain', issuer: ca });
const demanding = await createCertificate({ name: 'demanding', issuer: ca, extensions: [mustStapleExtension] });
const derOf = (certificate: typeof plain): Uint8Array => new Uint8Array(certificate.x509.rawData);
const until = new Date('2030-01-02T03:04:05Z');
const response = createOcspResponse(plain, ca, until);

describe('OCSP responses', () => {
  it('are read with their time', () => {
    const staple = parseOcspStaple(response, derOf(plain));
    assert.ok(typeof staple !== 'string', String(staple));
    assert.equal(staple.nextUpdateMs, until.getTime());
    assert.deepEqual(staple.der, response);
  });

  const unsuccessful = Uint8Array.of(0x30, 3, 0x0a, 1, 6);
  const refused: readonly [string, Uint8Array, RegExp][] = [
    ['nothing', new Uint8Array(0), /cannot be parsed/],
    ['garbage', Buffer.from('garbage'), /cannot be parsed/],
    ['a part', response.subarray(0, response.length - 40), /cannot be parsed/],
    ['a refusal', unsuccessful, /was unsuccessful/],
    ["another certificate's", createOcspResponse(demanding, ca, until), /does not match its TLS certificate/],
  ];
  for (const [name, octets, why] of refused) {
    it(`${name} is refused`, () => assert.match(String(parseOcspStaple(octets, derOf(plain))), why));
  }

  it('every truncation is refused without a throw', () => {
    for (let length = 0; length < response.length; length++) {
      assert.equal(typeof parseOcspStaple(response.slice(0, length), derOf(plain)), 'string');
    }
  });
});

describe('certificates that demand a staple', () => {
  it('are known by their extension', () => {
    assert.equal(asksForStaple(derOf(demanding)), true);
    assert.equal(asksForStaple(derOf(plain)), false);
    assert.equal(asksForStaple(Buffer.from('garbage')), false);
  });

  it('are not served without, and none is where the policy says so', () => {
    const staple: OcspStaple = { der: response, nextUpdateMs: 0 };
    assert.match(missingStaple({ staple: null, mustStaple: true }, 'lenient'), /required for must-staple/);
    assert.match(missingStaple({ staple: null, mustStaple: false }, 'must'), /missing from TLS context/);
    assert.equal(missingStaple({ staple: null, mustStaple: false }, 'strict'), '');
    assert.equal(missingStaple({ staple, mustStaple: true }, 'must'), '');
  });
});

// As in Envoy: policy, certificate that demands it, staple (none, fresh, stale) and what a client gets that asks for one.
const actions: readonly [StaplePolicy, boolean, 'none' | 'fresh' | 'stale', StapleAction][] = [
  ['lenient', false, 'none', 'omit'],
  ['lenient', false, 'fresh', 'staple'],
  ['lenient', false, 'stale', 'omit'],
  ['strict', false, 'none', 'omit'],
  ['strict', false, 'fresh', 'staple'],
  ['strict', false, 'stale', 'fail'],
  ['must', false, 'none', 'fail'],
  ['must', false, 'fresh', 'staple'],
  ['must', false, 'stale', 'fail'],
  ['lenient', true, 'fresh', 'staple'],
  ['lenient', true, 'stale', 'fail'],
];

describe('what a client gets', () => {
  const nowMs = 1000;
  const staples = {
    none: null,
    fresh: { der: response, nextUpdateMs: 1001 },
    stale: { der: response, nextUpdateMs: 1000 },
  };
  const asking = { extensions: [0, 5] } as unknown as ClientHello;
  const silent = { extensions: [0] } as unknown as ClientHello;
  for (const [policy, mustStaple, kind, want] of actions) {
    const identity = { mustStaple, staple: staples[kind] };
    it(`${policy}${mustStaple ? ', demanded' : ''}, ${kind}: ${want}`, () => {
      assert.equal(stapleAction(identity, policy, asking, nowMs), want);
      assert.equal(stapleAction(identity, policy, silent, nowMs), 'unasked');
    });
  }
});
