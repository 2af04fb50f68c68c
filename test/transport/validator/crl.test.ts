import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { DerError, DerReader } from '#gateway/protocol/x509/der.ts';
import { Certificate } from '#gateway/transport/validator/certificate.ts';
import { Crl, parseCrls } from '#gateway/transport/validator/crl.ts';
import { der, integer, oid, sequence } from '#test/support/der-writer.ts';
import {
  crlPem,
  extension,
  generalName,
  type MadeCertificate,
  make,
  makeCrl,
  nameConstraints,
} from '#test/support/made-certificates.ts';

const seed = 20_260_401;
const root = make({ name: 'root', ca: true });
const leaves = Array.from({ length: 3 }, (_, i) => make({ name: `leaf ${i}`, issuer: root }));
const read = (certificate: MadeCertificate): Certificate => new Certificate(new Uint8Array(certificate.der));
const scope = extension('2.5.29.28', true, sequence(der(0xa0, der(0xa0, generalName('uri:http://a.test/')))));
const rich = makeCrl({
  issuer: root,
  revoked: leaves.slice(0, 2),
  extensions: [scope],
  entryExtensions: [extension('2.5.29.21', false, der(0x0a, Buffer.from([1])))],
});

/** Runs a parser on octets: nothing but DerError may come out of it. */
function survives(parse: (octets: Uint8Array) => unknown, octets: Uint8Array): boolean {
  try {
    parse(octets);
    return true;
  } catch (error) {
    assert.ok(error instanceof DerError, `${(error as Error).stack}`);
    return false;
  }
}

/** Copies of `good` with a few octets changed, and cut short or made longer. */
const damaged = (good: Uint8Array): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(
      fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
      fc.nat(good.length),
      fc.uint8Array({ maxLength: 8 }),
      fc.nat(3),
    )
    .map(([changes, cut, more, way]) => {
      const octets = new Uint8Array(good);
      for (const [at, value] of changes) octets[at] = value;
      if (way === 0) return octets.subarray(0, cut);
      return way === 1 ? new Uint8Array(Buffer.concat([octets, more])) : octets;
    });

describe('CRLs', () => {
  it('says what is revoked, since when and by whom', () => {
    const crl = new Crl(new Uint8Array(rich));
    assert.equal(crl.size, 2);
    assert.deepEqual(
      leaves.map((leaf) => crl.revokes(read(leaf).serial)),
      [true, true, false],
    );
    assert.equal(crl.issuerKey, read(root).subjectName.key);
    assert.equal(crl.authorityKey?.keyId, root.keyId.toString('hex'));
    assert.equal(crl.unknownCritical, false);
    assert.equal(crl.signedBy(root.publicKey), true);
    assert.equal(crl.signedBy(leaves[0]!.publicKey), false);
    assert.ok(crl.lastUpdateMs < Date.now() && crl.nextUpdateMs > Date.now());
    assert.deepEqual(crl.scope?.names?.length, 1);
  });

  it('RSA and Ed25519 signatures', () => {
    for (const keys of ['rsa2048', 'ed25519', 'p384'] as const) {
      const issuer = make({ name: keys, ca: true, keys });
      const crl = new Crl(new Uint8Array(makeCrl({ issuer })));
      assert.equal(crl.signedBy(issuer.publicKey), true, keys);
      assert.equal(new Crl(new Uint8Array(makeCrl({ issuer, forged: true }))).signedBy(issuer.publicKey), false, keys);
    }
  });

  it('several in one file, each once, among other things', () => {
    const one = crlPem({ issuer: root, revoked: [leaves[0]!] });
    const two = crlPem({ issuer: root, from: -3 });
    assert.equal(parseCrls(`${root.pem}\nnoise\n${one}${two}${one}`).length, 2);
    assert.deepEqual(parseCrls('nothing'), []);
    assert.throws(() => parseCrls('-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n'), DerError);
  });

  it('without an end, and of version 1', () => {
    assert.equal(
      new Crl(new Uint8Array(makeCrl({ issuer: root, until: null }))).nextUpdateMs,
      Number.POSITIVE_INFINITY,
    );
    const old = new Crl(new Uint8Array(makeCrl({ issuer: root, version: 1, revoked: leaves })));
    assert.equal(old.size, 3);
    assert.throws(
      () => new Crl(new Uint8Array(makeCrl({ issuer: root, version: 1, revoked: leaves, entryExtensions: [scope] }))),
      /version 1/,
    );
  });

  it('a hundred thousand entries are an index, read in time', () => {
    const many = Array.from({ length: 100_000 }, (_, i) => ({ ...root, serial: i + 1 }));
    const crl = new Crl(new Uint8Array(makeCrl({ issuer: root, revoked: many })));
    assert.equal(crl.size, 100_000);
    assert.equal(crl.revokes('0100'), true);
    assert.equal(crl.revokes('7fffffff'), false);
  });

  it('damaged ones are refused by name or read, never a crash', () => {
    let refused = 0;
    fc.assert(
      fc.property(damaged(rich), (octets) => {
        if (!survives((bytes) => new Crl(bytes).signedBy(root.publicKey), octets)) refused++;
      }),
      { numRuns: 3000, seed },
    );
    assert.ok(refused > 500);
  });

  it('octets of chance', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => {
        survives((bytes) => new Crl(bytes), octets);
        survives((bytes) => {
          const reader = new DerReader(bytes);
          while (!reader.done) reader.next();
        }, octets);
      }),
      { numRuns: 2000, seed },
    );
  });

  it('damaged certificates with every extension that is read', () => {
    const busy = make({
      name: 'busy',
      ca: 3,
      issuer: root,
      purposes: ['client', 'server'],
      sans: ['dns:a.test', 'uri:spiffe://td/a', 'email:a@a.test', 'ip:10.0.0.1', 'other:1.2.3=x', 'dir:name'],
      extensions: [
        nameConstraints(['dns:a.test', 'dir:leaf'], ['email:.b.test', 'uri:c.test']),
        extension('2.5.29.31', false, sequence(sequence(der(0xa0, der(0xa0, generalName('uri:http://a.test/')))))),
        extension('2.5.29.32', false, sequence(sequence(oid('1.2.3')), sequence(oid('2.5.29.32.0')))),
        extension('2.5.29.33', false, sequence(sequence(oid('1.2.3'), oid('1.2.4')))),
        extension('2.5.29.36', true, sequence(der(0x80, Buffer.from([2])))),
        extension('2.5.29.54', true, integer(1)),
      ],
    });
    const whole = read(busy);
    assert.equal(whole.invalidExtension, false);
    assert.equal(whole.pathLength, 3);
    assert.equal(whole.policies?.requireExplicit, 2);
    assert.deepEqual(
      whole.alternativeNames.map((name) => name.kind),
      ['dns', 'uri', 'email', 'ip', 'other'],
    );
    fc.assert(
      fc.property(damaged(busy.der), (octets) => {
        survives((bytes) => new Certificate(bytes), octets);
      }),
      { numRuns: 3000, seed },
    );
  });
});
