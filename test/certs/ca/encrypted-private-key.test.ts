import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { execFileSync } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { derInteger, derOid, readDer, readDerInteger } from '#certs/ca/der.ts';
import { decryptPrivateKey, encryptPrivateKey, isEncryptedKey, StoreSecret } from '#certs/ca/encrypted-private-key.ts';
import { generatePrivateKey } from '#certs/ca/key-algorithm.ts';
import { peerTest } from '#test/support/peers.ts';

const secretOf = (text: string): StoreSecret => new StoreSecret(Buffer.from(text));

test('what was encrypted comes back, with the right secret only', async () => {
  const key = await generatePrivateKey('P-256');
  const pem = encryptPrivateKey(key, secretOf('correct horse'));
  assert.ok(isEncryptedKey(pem) && !isEncryptedKey(key.reveal()));
  assert.equal(decryptPrivateKey(pem, secretOf('correct horse')).reveal(), key.reveal());
  assert.throws(
    () => decryptPrivateKey(pem, secretOf('wrong horse')),
    /is not the one that the private key was encrypted with/,
  );
  assert.notEqual(encryptPrivateKey(key, secretOf('correct horse')), pem, 'salt and vector are new');
});

test('damaged or strange envelopes are refused', async () => {
  const secret = secretOf('correct horse');
  const pem = encryptPrivateKey(await generatePrivateKey('P-256'), secret);
  const octets = Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64');
  const envelope = (change: (copy: Buffer) => Buffer): string => {
    const body = change(Buffer.from(octets)).toString('base64');
    return `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${body}\n-----END ENCRYPTED PRIVATE KEY-----\n`;
  };
  const swap = (from: Buffer, to: Buffer): string =>
    envelope((copy) => {
      to.copy(copy, copy.indexOf(from));
      return copy;
    });
  assert.throws(
    () =>
      decryptPrivateKey(
        envelope((copy) => copy.subarray(0, 40)),
        secret,
      ),
    /not readable/,
  );
  assert.throws(
    () =>
      decryptPrivateKey(
        envelope(() => Buffer.alloc(0)),
        secret,
      ),
    /not readable/,
  );
  const rounds = derInteger(600_000);
  assert.throws(
    () => decryptPrivateKey(swap(rounds, Buffer.from([2, 3, 0x7f, 0xff, 0xff])), secret),
    /at most|is not the one/,
  );
  assert.throws(() => decryptPrivateKey(swap(rounds, Buffer.from([2, 3, 0, 0, 0])), secret), /asks for 0 rounds/);
  const pbes2 = derOid('1.2.840.113549.1.5.13');
  assert.throws(() => decryptPrivateKey(swap(pbes2, derOid('1.2.840.113549.1.5.10')), secret), /outdated scheme/);
  const aes = derOid('2.16.840.1.101.3.4.1.42');
  assert.throws(
    () => decryptPrivateKey(swap(aes, derOid('2.16.840.1.101.3.4.1.46')), secret),
    /other than AES-128-CBC or/,
  );
});

test('a secret is not shown by accident', () => {
  const secret = secretOf('correct horse');
  assert.ok(!`${JSON.stringify({ secret })} ${inspect(secret, { depth: 9 })} ${secret}`.includes('horse'));
});

test('DER that is cut short or too long is refused', () => {
  assert.deepEqual(
    readDer(Buffer.from([2, 1, 5])).map(({ tag, content }) => [tag, readDerInteger(content)]),
    [[2, 5]],
  );
  for (const octets of [[2], [2, 2, 1], [0x30, 0x80, 0, 0], [0x30, 0x85, 1, 1, 1, 1, 1], [2, 0x82, 1]]) {
    assert.throws(() => readDer(Buffer.from(octets)), RangeError, String(octets));
  }
  assert.deepEqual([...derInteger(128)], [2, 2, 0, 128]);
  assert.deepEqual([...derInteger(0)], [2, 1, 0]);
});

peerTest('openssl', 'keys that OpenSSL encrypted are read, and the other way round', async (openssl) => {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-key-'));
  const run = (...args: string[]): string =>
    execFileSync(openssl, args, { encoding: 'utf8', cwd: directory, stdio: 'pipe' });
  try {
    const key = await generatePrivateKey('RSA-2048');
    writeFileSync(join(directory, 'plain'), key.reveal());
    for (const [cipher, prf] of [
      ['aes-256-cbc', 'hmacWithSHA256'],
      ['aes-128-cbc', 'hmacWithSHA1'],
      ['aes-256-cbc', 'hmacWithSHA512'],
    ] as const) {
      run(
        'pkcs8',
        '-topk8',
        '-in',
        'plain',
        '-out',
        'made',
        '-v2',
        cipher,
        '-v2prf',
        prf,
        '-passout',
        'pass:correct horse',
      );
      const read = decryptPrivateKey(readFileSync(join(directory, 'made'), 'utf8'), secretOf('correct horse'));
      assert.deepEqual(
        createPublicKey(read.reveal()).export({ format: 'jwk' }),
        createPublicKey(key.reveal()).export({ format: 'jwk' }),
      );
    }
    run('pkcs8', '-topk8', '-in', 'plain', '-out', 'scrypt', '-scrypt', '-passout', 'pass:correct horse');
    const scrypt = readFileSync(join(directory, 'scrypt'), 'utf8');
    assert.throws(() => decryptPrivateKey(scrypt, secretOf('correct horse')), /a derivation other than PBKDF2/);
    writeFileSync(join(directory, 'ours'), encryptPrivateKey(key, secretOf('correct horse')));
    assert.match(run('pkey', '-in', 'ours', '-passin', 'pass:correct horse', '-noout', '-check'), /valid/);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
