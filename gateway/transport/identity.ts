import { Buffer } from 'node:buffer';
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import type { TlsCertificateSecret } from '#gateway/api/secrets.ts';
import { type Certificate, parseCertificates } from './validator/certificate.ts';

/** A certificate with its key, checked to belong together, and what the choice among several looks at. */
export interface Identity {
  readonly certificateChain: string;
  readonly privateKey: string;
  readonly leaf: Certificate;
  /** Lower-case DNS names of the leaf; its common name when it has none. */
  readonly names: readonly string[];
  readonly keyType: 'rsa' | 'ecdsa' | 'other';
  /** TLS group of an ECDSA key (23: P-256, 24: P-384, 25: P-521), or 0. */
  readonly group: number;
}

const groups: Readonly<Record<string, number>> = { prime256v1: 23, secp384r1: 24, secp521r1: 25 };

/**
 * Parses a secret and checks that its key belongs to its leaf certificate, which not every runtime does. On failure
 * the answer is the reason, which never holds key material.
 */
export function compileIdentity(secret: TlsCertificateSecret): Identity | string {
  let chain: Certificate[];
  try {
    chain = parseCertificates(secret.certificateChain);
  } catch {
    return 'the certificate chain cannot be parsed';
  }
  const leaf = chain[0];
  if (leaf === undefined) return 'the certificate chain holds no certificate';
  let key: KeyObject;
  try {
    key = createPrivateKey(secret.privateKey);
  } catch {
    return 'the private key cannot be parsed';
  }
  let leafKey: KeyObject;
  let matches: boolean;
  try {
    leafKey = leaf.x509.publicKey;
    matches = samePublicKey(createPublicKey(key), leafKey);
  } catch {
    return 'the certificate has a key that this runtime does not know';
  }
  if (!matches) return 'the private key does not belong to the certificate';
  const dns = leaf.alternativeNames.filter((name) => name.kind === 'dns').map((name) => name.value.toLowerCase());
  const names = dns.length > 0 ? dns : leaf.commonName === '' ? [] : [leaf.commonName.toLowerCase()];
  const type = leafKey.asymmetricKeyType;
  const keyType = type === 'ec' ? 'ecdsa' : type === 'rsa' || type === 'rsa-pss' ? 'rsa' : 'other';
  const group = keyType === 'ecdsa' ? (groups[leafKey.asymmetricKeyDetails?.namedCurve ?? ''] ?? 0) : 0;
  return { certificateChain: secret.certificateChain, privateKey: secret.privateKey, leaf, names, keyType, group };
}

function samePublicKey(one: KeyObject, other: KeyObject): boolean {
  const a = one.export({ type: 'spki', format: 'der' });
  const b = other.export({ type: 'spki', format: 'der' });
  return Buffer.compare(a, b) === 0;
}
