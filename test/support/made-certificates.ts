import { Buffer } from 'node:buffer';
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { bitString, boolean, der, integer, octetString, oid, pem, sequence, set, text, time } from './der-writer.ts';

// Certificates and CRLs written octet by octet, so that tests can have every oddity that a library would not issue.

/** Kinds of keys. */
export type KeyKind = 'p256' | 'p384' | 'p521' | 'ed25519' | 'rsa1024' | 'rsa2048';

/** Bits of keyUsage by name. */
const usageBits = { digitalSignature: 0x80, keyEncipherment: 0x20, keyAgreement: 0x08, certSign: 0x04, crlSign: 0x02 };
const purposes = {
  server: '1.3.6.1.5.5.7.3.1',
  client: '1.3.6.1.5.5.7.3.2',
  any: '2.5.29.37.0',
  email: '1.3.6.1.5.5.7.3.4',
};

/** What a test wants of a certificate. */
export interface MadeOptions {
  readonly name: string;
  /** The whole subject, when a common name is not enough. */
  readonly subject?: Uint8Array;
  readonly issuer?: MadeCertificate;
  /** The issuer's name as it is to stand here. */
  readonly issuerSubject?: Uint8Array;
  /** Basic constraints: a CA, a path length; null leaves the extension out. */
  readonly ca?: boolean | number | null;
  readonly keys?: KeyKind | MadeCertificate;
  /** Days from now. */
  readonly from?: number;
  readonly until?: number;
  /** Key usage; default for a CA to sign, else none; null leaves it out. */
  readonly usages?: readonly (keyof typeof usageBits)[] | null;
  readonly purposes?: readonly (keyof typeof purposes)[];
  /** `dns:a.test`, `uri:...`, `email:...`, `ip:10.0.0.1`, `other:1.2.3=text`. */
  readonly sans?: readonly string[];
  /** Further extensions, see `extension`. */
  readonly extensions?: readonly Uint8Array[];
  /** Leave out the key identifiers. */
  readonly noKeyIds?: boolean;
  readonly version?: 1 | 3;
  readonly hash?: 'sha1' | 'sha256';
  /** Break the signature. */
  readonly forged?: boolean;
  readonly serial?: number;
}

/** A certificate with its keys. */
export interface MadeCertificate {
  readonly pem: string;
  readonly der: Buffer;
  readonly key: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly subject: Uint8Array;
  readonly keyId: Buffer;
  readonly hasKeyId: boolean;
  readonly serial: number;
}

const day = 86_400_000;
let serials = 0x1000;

/** One extension. */
export function extension(id: string, critical: boolean, value: Uint8Array): Buffer {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octetString(value));
}

/** A Name with one common name. `tag` is its string type. */
export function commonName(name: string, tag = 0x0c): Buffer {
  return sequence(set(sequence(oid('2.5.4.3'), text(name, tag))));
}

/** A GeneralName as `sans` has them. */
export function generalName(name: string): Buffer {
  const colon = name.indexOf(':');
  const kind = name.slice(0, colon);
  const value = name.slice(colon + 1);
  if (kind === 'email') return der(0x81, Buffer.from(value));
  if (kind === 'dns') return der(0x82, Buffer.from(value));
  if (kind === 'uri') return der(0x86, Buffer.from(value));
  if (kind === 'ip') return der(0x87, Buffer.from(value.split('.').map(Number)));
  if (kind === 'dir') return der(0xa4, commonName(value));
  const [id, content] = value.split('=') as [string, string];
  return der(0xa0, oid(id), der(0xa0, text(content)));
}

/** NameConstraints. */
export function nameConstraints(permitted: readonly string[], excluded: readonly string[]): Buffer {
  const trees = (names: readonly string[]): Buffer[] => names.map((name) => sequence(generalName(name)));
  return extension(
    '2.5.29.30',
    true,
    sequence(
      ...(permitted.length > 0 ? [der(0xa0, ...trees(permitted))] : []),
      ...(excluded.length > 0 ? [der(0xa1, ...trees(excluded))] : []),
    ),
  );
}

/** Makes a certificate; self-signed without an issuer. */
export function make(options: MadeOptions): MadeCertificate {
  const { publicKey, privateKey } = keysOf(options);
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const keyId = createHash('sha1').update(spki).digest();
  const issuer = options.issuer;
  const subject = options.subject ?? commonName(options.name);
  const signer = issuer?.privateKey ?? privateKey;
  const algorithm = signatureAlgorithm(signer, options.hash ?? 'sha256');
  const serial = options.serial ?? ++serials;
  const v3 = options.version !== 1;
  const fromDay = options.from ?? -1;
  const body = sequence(
    ...(v3 ? [der(0xa0, integer(2))] : []),
    integer(serial),
    algorithm.identifier,
    options.issuerSubject ?? issuer?.subject ?? subject,
    sequence(time(new Date(Date.now() + fromDay * day)), time(new Date(Date.now() + (options.until ?? 10) * day))),
    subject,
    spki,
    ...(v3 ? extensionsOf(options, keyId, issuer) : []),
  );
  const signature = sign(algorithm.digest, body, signer);
  if (options.forged === true) signature[signature.length - 1]! ^= 1;
  const whole = sequence(body, algorithm.identifier, bitString(signature));
  return {
    pem: pem('CERTIFICATE', whole),
    der: whole,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    privateKey,
    publicKey,
    subject,
    keyId,
    hasKeyId: v3 && options.noKeyIds !== true,
    serial,
  };
}

function extensionsOf(options: MadeOptions, keyId: Buffer, issuer: MadeCertificate | undefined): Buffer[] {
  const list: Uint8Array[] = [];
  const ca = options.ca ?? (options.ca === null ? null : false);
  if (ca !== null) {
    const fields = ca === false ? [] : [boolean(true), ...(typeof ca === 'number' ? [integer(ca)] : [])];
    list.push(extension('2.5.29.19', true, sequence(...fields)));
  }
  const signing = ca === false || ca === null ? null : (['certSign', 'crlSign'] as const);
  const usages = options.usages === undefined ? signing : options.usages;
  if (usages !== null) {
    let bits = 0;
    for (const usage of usages) bits |= usageBits[usage];
    list.push(extension('2.5.29.15', true, bitString(Buffer.from([bits]))));
  }
  if (options.purposes !== undefined) {
    list.push(extension('2.5.29.37', false, sequence(...options.purposes.map((purpose) => oid(purposes[purpose])))));
  }
  if (options.sans !== undefined) list.push(extension('2.5.29.17', false, sequence(...options.sans.map(generalName))));
  if (options.noKeyIds !== true) {
    list.push(extension('2.5.29.14', false, octetString(keyId)));
    if (issuer?.hasKeyId === true) list.push(extension('2.5.29.35', false, sequence(der(0x80, issuer.keyId))));
  }
  list.push(...(options.extensions ?? []));
  return list.length === 0 ? [] : [der(0xa3, sequence(...list))];
}

function keysOf(options: MadeOptions): { publicKey: KeyObject; privateKey: KeyObject } {
  if (typeof options.keys === 'object') return options.keys;
  const kind = options.keys ?? 'p256';
  const privateKey = newKey(kind);
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

function newKey(kind: KeyKind): KeyObject {
  if (kind === 'ed25519') return generateKeyPairSync('ed25519').privateKey;
  if (kind === 'rsa1024' || kind === 'rsa2048') {
    return generateKeyPairSync('rsa', { modulusLength: Number(kind.slice(3)) }).privateKey;
  }
  const curves = { p256: 'prime256v1', p384: 'secp384r1', p521: 'secp521r1' };
  return generateKeyPairSync('ec', { namedCurve: curves[kind] }).privateKey;
}

interface Algorithm {
  readonly identifier: Buffer;
  readonly digest: string | null;
}

function signatureAlgorithm(key: KeyObject, hash: 'sha1' | 'sha256'): Algorithm {
  if (key.asymmetricKeyType === 'ed25519') return { identifier: sequence(oid('1.3.101.112')), digest: null };
  if (key.asymmetricKeyType === 'rsa') {
    const id = hash === 'sha1' ? '1.2.840.113549.1.1.5' : '1.2.840.113549.1.1.11';
    return { identifier: sequence(oid(id), der(0x05)), digest: hash };
  }
  return { identifier: sequence(oid(hash === 'sha1' ? '1.2.840.10045.4.1' : '1.2.840.10045.4.3.2')), digest: hash };
}

/** What a test wants of a CRL. */
export interface MadeCrlOptions {
  readonly issuer: MadeCertificate;
  readonly revoked?: readonly MadeCertificate[];
  /** Days from now. */
  readonly from?: number;
  readonly until?: number | null;
  /** Further extensions of the list. */
  readonly extensions?: readonly Uint8Array[];
  /** Extensions of each entry. */
  readonly entryExtensions?: readonly Uint8Array[];
  readonly forged?: boolean;
  readonly version?: 1 | 2;
  /** Signed by other keys than the issuer's. */
  readonly signer?: MadeCertificate;
}

/** Makes a CRL in DER. */
export function makeCrl(options: MadeCrlOptions): Buffer {
  const signer = (options.signer ?? options.issuer).privateKey;
  const algorithm = signatureAlgorithm(signer, 'sha256');
  const at = (days: number): Buffer => time(new Date(Date.now() + days * day));
  const entries = (options.revoked ?? []).map((certificate) =>
    sequence(
      integer(certificate.serial),
      at(-1),
      ...(options.entryExtensions === undefined ? [] : [sequence(...options.entryExtensions)]),
    ),
  );
  const v2 = options.version !== 1;
  const key = options.issuer.hasKeyId ? [extension('2.5.29.35', false, sequence(der(0x80, options.issuer.keyId)))] : [];
  const extensions = [...key, ...(options.extensions ?? [])];
  const body = sequence(
    ...(v2 ? [integer(1)] : []),
    algorithm.identifier,
    options.issuer.subject,
    at(options.from ?? -1),
    ...(options.until === null ? [] : [at(options.until ?? 10)]),
    ...(entries.length > 0 ? [sequence(Buffer.concat(entries))] : []),
    ...(v2 && extensions.length > 0 ? [der(0xa0, sequence(...extensions))] : []),
  );
  const signature = sign(algorithm.digest, body, signer);
  if (options.forged === true) signature[signature.length - 1]! ^= 1;
  return sequence(body, algorithm.identifier, bitString(signature));
}

/** PEM of a CRL. */
export function crlPem(options: MadeCrlOptions): string {
  return pem('X509 CRL', makeCrl(options));
}
