import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { describe, it } from 'node:test';
import { CertificateFacts } from '#gateway/protocol/x509/certificate-facts.ts';
import { DerReader } from '#gateway/protocol/x509/der.ts';
import { distinguishedName } from '#gateway/protocol/x509/distinguished-name.ts';
import { readGeneralNames } from '#gateway/protocol/x509/general-name.ts';
import { der, oid, sequence, set } from '#test/support/der-writer.ts';
import { make } from '#test/support/made-certificates.ts';

const cn = (tag: number, value: Uint8Array): Buffer => sequence(set(sequence(oid('2.5.4.3'), der(tag, value))));
const utf8 = (value: string): Buffer => cn(0x0c, Buffer.from(value));

const names: readonly (readonly [name: string, der: Buffer, shown: string])[] = [
  ['plain', utf8('plain'), 'CN=plain'],
  ['a quote cannot end the quotes around it', utf8('a";URI=x'), 'CN=a\\"\\;URI=x'],
  ['a backslash at the end', utf8('ends\\'), 'CN=ends\\\\'],
  ['letters beyond ASCII', utf8('ü'), 'CN=\\C3\\BC'],
  ['line ends', utf8('a\r\nb\u007f'), 'CN=a\\0D\\0Ab\\7F'],
  ['spaces at both ends', utf8('  a  '), 'CN=\\  a \\ '],
  ['a number sign', utf8('#a#'), 'CN=\\#a#'],
  ['latin-1', cn(0x14, Buffer.from([0xe9])), 'CN=\\C3\\A9'],
  ['two octets a letter', cn(0x1e, Buffer.from([0x65, 0xe5])), 'CN=\\E6\\97\\A5'],
  ['four octets a letter', cn(0x1c, Buffer.from([0, 0, 0, 0x41])), 'CN=A'],
  ['half a letter', cn(0x1e, Buffer.from([0x65])), 'CN=#1E0165'],
  ['no letter of Unicode', cn(0x1c, Buffer.from([1, 0, 0, 0])), 'CN=#1C0401000000'],
  ['no text at all', cn(0x03, Buffer.from([0, 1])), 'CN=#03020001'],
  ['nothing', sequence(), ''],
];

describe('distinguished names', () => {
  for (const [name, octets, shown] of names) {
    it(name, () => assert.equal(distinguishedName(octets), shown));
  }

  it('last part first, parts of a set joined with +', () => {
    const part = (id: string, value: string): Buffer => sequence(oid(id), der(0x0c, Buffer.from(value)));
    const name = sequence(set(part('2.5.4.6', 'FR')), set(part('2.5.4.10', 'o'), part('2.5.4.11', 'u')));
    assert.equal(distinguishedName(name), 'OU=u+O=o,C=FR');
  });
});

describe('facts of a certificate', () => {
  const certificate = make({ name: 'a', serial: 0x80, sans: ['uri:spiffe://a\r\nx: y', 'dns:a.test', 'ip:10.0.0.1'] });
  const facts = new CertificateFacts(certificate.der);

  it('says names, serial and fingerprints', () => {
    assert.equal(facts.subject, 'CN=a');
    assert.equal(facts.serial, '80');
    assert.match(facts.sha256, /^[0-9a-f]{64}$/);
    assert.deepEqual(facts.namesOf('ip'), ['10.0.0.1']);
    assert.deepEqual(facts.namesOf('email'), []);
  });

  it('lets no name begin another header', () => {
    assert.deepEqual(facts.namesOf('uri'), ['spiffe://a%0D%0Ax: y']);
  });

  it('writes PEM in lines of 64, URL-encoded', () => {
    const pem = decodeURIComponent(facts.encodedPem);
    assert.match(pem, /^-----BEGIN CERTIFICATE-----\n(?:[\w+/]{64}\n)*[\w+/=]{1,64}\n-----END CERTIFICATE-----\n$/);
    assert.doesNotMatch(facts.encodedPem, /[\s+/=]/);
    const base64 = pem.replace(/-----[A-Z ]+-----|\n/g, '');
    assert.deepEqual(new Uint8Array(Buffer.from(base64, 'base64')), new Uint8Array(certificate.der));
  });

  it('refuses what is no certificate', () => {
    assert.throws(() => new CertificateFacts(Buffer.from('nonsense')));
    assert.throws(() => new CertificateFacts(new Uint8Array()));
  });

  it('reads other names of odd types without text', () => {
    const other = (value: Buffer): Buffer => der(0xa0, oid('1.2.3'), der(0xa0, value));
    const list = Buffer.concat([other(der(0x05)), other(der(0x1e, Buffer.from([1]))), der(0x87, Buffer.from([1]))]);
    assert.deepEqual(
      readGeneralNames(new DerReader(list)).map(({ value }) => value),
      ['', '', ''],
    );
  });
});
