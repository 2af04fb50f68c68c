import { Buffer } from 'node:buffer';
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import type { TlsCertificateSecret } from '#gateway/api/secrets.ts';
import { tlsCannot, tlsCapabilities } from '#gateway/runtime/tls-capabilities.ts';
import { asksForStaple, type OcspStaple, parseOcspStaple } from './ocsp-staple.ts';
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
  /** The OCSP response that goes with it, or null. */
  readonly staple: OcspStaple | null;
  /** The certificate says that it is worth nothing without a staple. RFC 7633. */
  readonly mustStaple: boolean;
}

/** As Envoy: shorter keys are refused. */
const minRsaBits = 2048;
/** First bit of KeyUsage, RFC 5280 section 4.2.1.3. */
const usageDigitalSignature = 0x80;

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
  if (leaf === undefined) return noCertificate(secret.certificateChain);
  let key: KeyObject;
  try {
    key = createPrivateKey(secret.privateKey);
  } catch {
    return unusableKey(secret.privateKey);
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
  const problem = unservable(leaf, leafKey);
  if (problem !== '') return problem;
  const dns = leaf.alternativeNames.filter((name) => name.kind === 'dns').map((name) => name.value.toLowerCase());
  const names = dns.length > 0 ? dns : leaf.commonName === '' ? [] : [leaf.commonName.toLowerCase()];
  const type = leafKey.asymmetricKeyType;
  const keyType = type === 'ec' ? 'ecdsa' : type === 'rsa' || type === 'rsa-pss' ? 'rsa' : 'other';
  const group = keyType === 'ecdsa' ? (groups[leafKey.asymmetricKeyDetails?.namedCurve ?? ''] ?? 0) : 0;
  let staple: OcspStaple | null = null;
  if (secret.ocspStaple !== null) {
    const parsed = parseOcspStaple(secret.ocspStaple, leaf.der);
    if (typeof parsed === 'string') return parsed;
    staple = parsed;
  }
  const { certificateChain, privateKey } = secret;
  const mustStaple = asksForStaple(leaf.der);
  return { certificateChain, privateKey, leaf, names, keyType, group, staple, mustStaple };
}

function noCertificate(text: string): string {
  if (text === '') return 'the certificate chain is empty';
  return looksLikeDer(text)
    ? 'the certificate chain is not PEM but DER: convert it (openssl x509 -inform DER)'
    : 'the certificate chain holds no certificate';
}

function unusableKey(text: string): string {
  if (text === '') return 'the private key is empty';
  if (text.includes('ENCRYPTED')) return 'the private key is encrypted: its password is needed';
  return looksLikeDer(text)
    ? 'the private key is not PEM but DER: convert it (openssl pkey -inform DER)'
    : 'the private key cannot be parsed';
}

// A DER sequence with a long length, after whatever was no UTF-8 has become a replacement character.
function looksLikeDer(text: string): boolean {
  return text.startsWith('0\ufffd') || (text.startsWith('0') && text.includes('\0'));
}

// What Envoy refuses to load, and what this runtime could not serve.
function unservable(leaf: Certificate, key: KeyObject): string {
  const details = key.asymmetricKeyDetails;
  if (key.asymmetricKeyType === 'rsa' && (details?.modulusLength ?? minRsaBits) < minRsaBits) {
    return 'only RSA certificates with 2048-bit or larger keys are supported';
  }
  if (key.asymmetricKeyType === 'ec') {
    if (groups[details?.namedCurve ?? ''] === undefined) {
      return 'only P-256, P-384 or P-521 ECDSA certificates are supported';
    }
    if (leaf.usage !== -1 && (leaf.usage & usageDigitalSignature) === 0) {
      return "the certificate's key usage does not allow signatures, which a handshake needs";
    }
  }
  if (leaf.unknownCritical !== '' && !tlsCapabilities.unknownCriticalExtensions) {
    return `the certificate's critical extension ${leaf.unknownCritical} is unknown here: ${tlsCannot('unknownCriticalExtensions')}`;
  }
  return '';
}

function samePublicKey(one: KeyObject, other: KeyObject): boolean {
  const a = one.export({ type: 'spki', format: 'der' });
  const b = other.export({ type: 'spki', format: 'der' });
  return Buffer.compare(a, b) === 0;
}
