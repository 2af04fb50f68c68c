import { Buffer } from 'node:buffer';
import { createCipheriv, createDecipheriv, createPrivateKey, pbkdf2Sync, randomBytes } from 'node:crypto';
import { type DerElement, der, derInteger, derOid, derSequence, derTags, readDer, readDerInteger } from './der.ts';
import { CertificateError } from './issued-certificate.ts';
import { SecretText } from './secret-text.ts';

// PKCS #8 EncryptedPrivateKeyInfo with PBES2 (RFC 5958 section 3, RFC 8018 section 6.2). Written here, because OpenSSL's own
// export derives with 2,048 rounds and BoringSSL's cannot be told otherwise.

const pbes2 = '1.2.840.113549.1.5.13';
const pbkdf2 = '1.2.840.113549.1.5.12';
const hmacSha256 = '1.2.840.113549.2.9';
const aes256Cbc = '2.16.840.1.101.3.4.1.42';

/** Pseudo-random functions that are read. */
const digests: ReadonlyMap<string, string> = new Map([
  [hex('1.2.840.113549.2.7'), 'sha1'],
  [hex(hmacSha256), 'sha256'],
  [hex('1.2.840.113549.2.10'), 'sha384'],
  [hex('1.2.840.113549.2.11'), 'sha512'],
]);

/** Ciphers that are read, with the octets of their keys. (Deno has no AES-192.) */
const ciphers: ReadonlyMap<string, readonly [string, number]> = new Map([
  [hex('2.16.840.1.101.3.4.1.2'), ['aes-128-cbc', 16]],
  [hex(aes256Cbc), ['aes-256-cbc', 32]],
]);

/** Rounds of PBKDF2-HMAC-SHA256 that are written: OWASP's advice of 2023. */
const rounds = 600_000;

/** More rounds are taken for an attempt to keep the processor busy. */
const maxRounds = 10_000_000;

const label = 'ENCRYPTED PRIVATE KEY';

/**
 * What keys at rest are encrypted with: a passphrase, or the octets of a key file. The derivation is slow on purpose; keys
 * that share a salt share it, so that a store is opened with one.
 */
export class StoreSecret {
  readonly #octets: Buffer;
  readonly #derived = new Map<string, Buffer>();
  #salt: Buffer | null = null;

  constructor(octets: Uint8Array) {
    this.#octets = Buffer.from(octets);
  }

  /** The salt to encrypt with: that of a key which was read before, or a new one. */
  salt(): Buffer {
    this.#salt ??= randomBytes(16);
    return this.#salt;
  }

  derive(salt: Buffer, iterations: number, length: number, digest: string): Buffer {
    const name = `${salt.toString('hex')} ${iterations} ${length} ${digest}`;
    let key = this.#derived.get(name);
    if (key === undefined) {
      key = pbkdf2Sync(this.#octets, salt, iterations, length, digest);
      this.#derived.set(name, key);
      if (iterations === rounds && length === 32 && digest === 'sha256') this.#salt ??= Buffer.from(salt);
    }
    return key;
  }

  toJSON(): string {
    return '[redacted]';
  }
}

/** Whether this PEM is an encrypted PKCS #8 key. */
export function isEncryptedKey(pem: string): boolean {
  return pem.includes(`-----BEGIN ${label}-----`);
}

/** Encrypts a PKCS #8 PEM key: PBES2 with PBKDF2-HMAC-SHA256 and AES-256-CBC. */
export function encryptPrivateKey(key: SecretText, secret: StoreSecret): string {
  const salt = secret.salt();
  const iv = randomBytes(16);
  const cipher = createCipheriv('aes-256-cbc', secret.derive(salt, rounds, 32, 'sha256'), iv);
  const plain = createPrivateKey(key.reveal()).export({ type: 'pkcs8', format: 'der' });
  const data = Buffer.concat([cipher.update(plain), cipher.final()]);
  const derivation = derSequence(
    der(derTags.octetString, salt),
    derInteger(rounds),
    derSequence(derOid(hmacSha256), der(derTags.null)),
  );
  const scheme = derSequence(
    derOid(pbes2),
    derSequence(derSequence(derOid(pbkdf2), derivation), derSequence(derOid(aes256Cbc), der(derTags.octetString, iv))),
  );
  const body = derSequence(scheme, der(derTags.octetString, data)).toString('base64');
  return `-----BEGIN ${label}-----\n${body.replace(/.{1,64}/g, '$&\n')}-----END ${label}-----\n`;
}

/** Decrypts what {@link encryptPrivateKey}, or OpenSSL with PBKDF2 and AES-128 or AES-256-CBC, wrote. Throws {@link CertificateError}. */
export function decryptPrivateKey(pem: string, secret: StoreSecret): SecretText {
  const { data, salt, iterations, digest, cipher, keyLength, iv } = readEnvelope(pem);
  let plain: Buffer;
  try {
    const decipher = createDecipheriv(cipher, secret.derive(salt, iterations, keyLength, digest), iv);
    plain = Buffer.concat([decipher.update(data), decipher.final()]);
    const text = createPrivateKey({ key: plain, format: 'der', type: 'pkcs8' }).export({
      type: 'pkcs8',
      format: 'pem',
    });
    return new SecretText(text.toString());
  } catch {
    throw new CertificateError('the passphrase or key file is not the one that the private key was encrypted with');
  }
}

interface Envelope {
  readonly data: Buffer;
  readonly salt: Buffer;
  readonly iterations: number;
  readonly digest: string;
  readonly cipher: string;
  readonly keyLength: number;
  readonly iv: Buffer;
}

function readEnvelope(pem: string): Envelope {
  let found: Envelope | string;
  try {
    found = parseEnvelope(pem);
  } catch {
    found = 'the encrypted private key is not readable';
  }
  if (typeof found === 'string') throw new CertificateError(found);
  return found;
}

function parseEnvelope(pem: string): Envelope | string {
  const body = new RegExp(`-----BEGIN ${label}-----([^-]*)-----END`).exec(pem)![1]!;
  const [outer] = readDer(Buffer.from(body, 'base64'));
  const [scheme, data] = readDer(outer!.content);
  const [schemeOid, parameters] = readDer(scheme!.content);
  if (!is(schemeOid, pbes2)) return 'the private key is encrypted with an outdated scheme: only PBES2 is read';
  const [derivation, encryption] = readDer(parameters!.content);
  const [derivationOid, derivationParameters] = readDer(derivation!.content);
  if (!is(derivationOid, pbkdf2)) return 'the private key is encrypted with a derivation other than PBKDF2';
  const [salt, iterations, ...more] = readDer(derivationParameters!.content);
  const prf = more.find((element) => element.tag === derTags.sequence);
  const digest = prf === undefined ? 'sha1' : digests.get(readDer(prf.content)[0]!.content.toString('hex'));
  const [cipherOid, iv] = readDer(encryption!.content);
  const cipher = ciphers.get(cipherOid!.content.toString('hex'));
  if (digest === undefined || cipher === undefined)
    return 'the private key is encrypted with a cipher other than AES-128-CBC or AES-256-CBC';
  const count = readDerInteger(iterations!.content);
  if (count < 1 || count > maxRounds) return `the private key asks for ${count} rounds: at most ${maxRounds} are done`;
  return {
    data: data!.content,
    salt: salt!.content,
    iterations: count,
    digest,
    cipher: cipher[0],
    keyLength: cipher[1],
    iv: iv!.content,
  };
}

function is(element: DerElement | undefined, oid: string): boolean {
  return element !== undefined && element.content.toString('hex') === hex(oid);
}

function hex(oid: string): string {
  return derOid(oid).subarray(2).toString('hex');
}
