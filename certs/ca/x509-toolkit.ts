// reflect-metadata must come first: the X.509 library needs it while it loads. This file takes some 80 ms to load, so it
// is the only one that knows the library, and it is imported when the first certificate is made.
import 'reflect-metadata';
import { Buffer } from 'node:buffer';
import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { CertificateRequest } from './certificate-request.ts';
import { type IssuedCertificate, readIssuedCertificate } from './issued-certificate.ts';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** Certificates begin a little in the past, for peers whose clock is behind. */
const backdateMs = 60_000;

/** Makes a certificate authority: P-256, path length 0, self-signed. */
export async function createAuthority(
  commonName: string,
  lifetimeMs: number,
  nowMs: number,
): Promise<IssuedCertificate> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [commonName] }],
    keys,
    signingAlgorithm: algorithm,
    notBefore: wholeSecond(nowMs - backdateMs),
    notAfter: wholeSecond(nowMs + lifetimeMs),
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return readIssuedCertificate(pem(certificate), await privateKeyPem(keys.privateKey));
}

/** Issues a leaf for TLS servers and clients with a new P-256 key. It never outlives the authority. */
export async function issueLeaf(
  authority: IssuedCertificate,
  request: CertificateRequest,
  nowMs: number,
): Promise<IssuedCertificate> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const issuer = new X509Certificate(authority.chainPem);
  const names: JsonGeneralName[] = [
    ...request.dns.map((value): JsonGeneralName => ({ type: 'dns', value })),
    ...request.ip.map((value): JsonGeneralName => ({ type: 'ip', value })),
  ];
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [{ CN: [commonName(request)] }],
    issuer: issuer.subjectName,
    publicKey: keys.publicKey,
    signingKey: await signingKey(authority),
    signingAlgorithm: algorithm,
    notBefore: wholeSecond(Math.max(nowMs - backdateMs, authority.notBeforeMs)),
    notAfter: wholeSecond(Math.min(nowMs + request.lifetimeMs, authority.notAfterMs)),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension(names),
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return readIssuedCertificate(pem(certificate), await privateKeyPem(keys.privateKey));
}

/** The common name is for people only; peers look at the alternative names. X.520 allows it 64 characters. */
function commonName(request: CertificateRequest): string {
  return (request.dns[0] ?? request.ip[0] ?? request.name).slice(0, 64);
}

/** 127 random bits, positive and without leading zero octet. RFC 5280 section 4.1.2.2. */
function serialNumber(): string {
  const octets = randomBytes(16);
  octets[0] = (octets[0]! & 0x7f) | 0x40;
  return octets.toString('hex');
}

function wholeSecond(ms: number): Date {
  return new Date(Math.floor(ms / 1000) * 1000);
}

function pem(certificate: X509Certificate): string {
  return `${certificate.toString('pem').trim()}\n`;
}

async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    .export({ type: 'pkcs8', format: 'pem' })
    .toString();
}

async function signingKey(authority: IssuedCertificate): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(authority.privateKey.reveal()).export({ type: 'pkcs8', format: 'der' });
  return await webcrypto.subtle.importKey('pkcs8', new Uint8Array(der), algorithm, false, ['sign']);
}
