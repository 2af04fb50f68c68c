// reflect-metadata must come first: the X.509 library needs it while it loads. This file takes some 80 ms to load, so it
// is the only one that knows the library, and it is imported when the first certificate is made.
import 'reflect-metadata';
import { Buffer } from 'node:buffer';
import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  CRLDistributionPointsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequest,
  Pkcs10CertificateRequestGenerator,
  PublicKey,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
  X509Crl,
} from '@peculiar/x509';
import { type CertificateNames, nameTexts, noNames } from './certificate-names.ts';
import { type CertificateRequest, requestedNames } from './certificate-request.ts';
import { templates } from './certificate-template.ts';
import { derTags, readDer, readDerInteger } from './der.ts';
import { CertificateError, type IssuedCertificate, readIssuedCertificate } from './issued-certificate.ts';
import { generatePrivateKey, type KeyAlgorithm } from './key-algorithm.ts';
import {
  encodeNameConstraints,
  isUnconstrained,
  type NameConstraints,
  nameConstraintsOid,
} from './name-constraints.ts';
import type { SecretText } from './secret-text.ts';

/** Certificates begin a little in the past, for peers whose clock is behind. */
const backdateMs = 60_000;

const crlNumberOid = '2.5.29.20';
const subjectAltNameOid = '2.5.29.17';
const basicConstraintsOid = '2.5.29.19';
const usageOids = { serverAuth: ExtendedKeyUsage.serverAuth, clientAuth: ExtendedKeyUsage.clientAuth } as const;

/** What a certificate is to say. */
export interface CertificateContent {
  /** Who signs; null: the certificate signs itself with `selfKey`. */
  readonly issuer: IssuedCertificate | null;
  /** The key of a certificate that signs itself. */
  readonly selfKey?: SecretText;
  /** X.520 common name; null for a subject without any name. */
  readonly commonName: string | null;
  /** The subject's key. */
  readonly publicKey: KeyObject;
  /** Wall-clock milliseconds; whole seconds are taken. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** What an authority may do; null for a leaf. */
  readonly authority: { readonly pathLength: number | null; readonly constraints: NameConstraints | null } | null;
  readonly usages: readonly ('serverAuth' | 'clientAuth')[];
  readonly names: CertificateNames;
  /** Where the issuer's revocation list is, or null. */
  readonly crlUrl: string | null;
}

/** Signs a certificate; the text is PEM. It never begins before its issuer nor outlives it. */
export async function signCertificate(content: CertificateContent): Promise<string> {
  const issuer = content.issuer === null ? null : new X509Certificate(firstCertificate(content.issuer.chainPem));
  const signer = await importSigner(content.issuer?.privateKey ?? content.selfKey!);
  const publicKey = new PublicKey(spki(content.publicKey));
  const subject = content.commonName === null ? [] : [{ CN: [content.commonName] }];
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject,
    issuer: issuer?.subjectName ?? subject,
    publicKey,
    signingKey: signer.key,
    signingAlgorithm: signer.algorithm,
    notBefore: wholeSecond(Math.max(content.notBeforeMs, content.issuer?.notBeforeMs ?? 0)),
    notAfter: wholeSecond(Math.min(content.notAfterMs, content.issuer?.notAfterMs ?? Number.MAX_SAFE_INTEGER)),
    extensions: await extensionsOf(content, publicKey, issuer?.publicKey ?? publicKey),
  });
  return pem(certificate.toString('pem'));
}

async function extensionsOf(content: CertificateContent, own: PublicKey, issuers: PublicKey): Promise<Extension[]> {
  const { authority } = content;
  const extensions: Extension[] = [];
  if (authority === null) {
    // Key transport is what RSA suites of TLS 1.2 need; RFC 5280 section 4.2.1.3.
    const transport = content.publicKey.asymmetricKeyType === 'rsa' ? KeyUsageFlags.keyEncipherment : 0;
    extensions.push(
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature | transport, true),
    );
  } else {
    extensions.push(
      new BasicConstraintsExtension(true, authority.pathLength ?? undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    );
    if (authority.constraints !== null && !isUnconstrained(authority.constraints)) {
      extensions.push(new Extension(nameConstraintsOid, true, encodeNameConstraints(authority.constraints)));
    }
  }
  if (content.usages.length > 0) {
    extensions.push(new ExtendedKeyUsageExtension(content.usages.map((usage) => usageOids[usage])));
  }
  const names = generalNames(content.names);
  // Without a subject the alternative names are all there is, and critical: RFC 5280 section 4.2.1.6.
  if (names.length > 0) extensions.push(new SubjectAlternativeNameExtension(names, content.commonName === null));
  extensions.push(
    await SubjectKeyIdentifierExtension.create(own),
    await AuthorityKeyIdentifierExtension.create(issuers),
  );
  if (content.crlUrl !== null) extensions.push(new CRLDistributionPointsExtension([content.crlUrl]));
  return extensions;
}

function generalNames(names: CertificateNames): JsonGeneralName[] {
  return [
    ...names.dns.map((value): JsonGeneralName => ({ type: 'dns', value: value.toLowerCase() })),
    ...names.ip.map((value): JsonGeneralName => ({ type: 'ip', value })),
    ...names.uri.map((value): JsonGeneralName => ({ type: 'url', value })),
    ...names.email.map((value): JsonGeneralName => ({ type: 'email', value })),
  ];
}

/** Makes a certificate authority that signs itself. Path length 0: it issues leaves only. */
export async function createAuthority(
  commonName: string,
  lifetimeMs: number,
  nowMs: number,
  options: {
    readonly key?: KeyAlgorithm;
    readonly pathLength?: number;
    readonly constraints?: NameConstraints | null;
  } = {},
): Promise<IssuedCertificate> {
  const key = await generatePrivateKey(options.key ?? 'P-256');
  const certificate = await signCertificate({
    issuer: null,
    selfKey: key,
    commonName,
    publicKey: createPublicKey(key.reveal()),
    notBeforeMs: nowMs - backdateMs,
    notAfterMs: nowMs + lifetimeMs,
    authority: { pathLength: options.pathLength ?? 0, constraints: options.constraints ?? null },
    usages: [],
    names: noNames,
    crlUrl: null,
  });
  return readIssuedCertificate(certificate, key.reveal());
}

/** Issues a leaf with a new key. It never outlives the authority. The chain is the leaf alone. */
export async function issueLeaf(
  authority: IssuedCertificate,
  request: CertificateRequest,
  nowMs: number,
  crlUrl: string | null = null,
): Promise<IssuedCertificate> {
  const key = await generatePrivateKey(request.key ?? 'P-256');
  const publicKey = createPublicKey(key.reveal());
  return readIssuedCertificate(await signLeaf(authority, request, publicKey, nowMs, crlUrl), key.reveal());
}

/** Signs a leaf for a key that somebody else holds; the text is PEM. The request must have been checked. */
export async function signLeaf(
  authority: IssuedCertificate,
  request: CertificateRequest,
  publicKey: KeyObject,
  nowMs: number,
  crlUrl: string | null,
): Promise<string> {
  const template = templates[request.template ?? 'peer'];
  const names = requestedNames(request);
  return await signCertificate({
    issuer: authority,
    commonName: template.name === 'spiffe' ? null : commonName(names, request.name),
    publicKey,
    notBeforeMs: nowMs - backdateMs,
    notAfterMs: nowMs + request.lifetimeMs,
    authority: null,
    usages: template.usages,
    names,
    crlUrl,
  });
}

/**
 * The common name is for people only; peers look at the alternative names. X.520 allows it 64 characters, and a name cut short
 * would be another name: then there is none.
 */
function commonName(names: CertificateNames, fallback: string): string | null {
  const name = names.dns[0] ?? names.ip[0] ?? names.email[0] ?? fallback;
  return name.length <= 64 ? name : null;
}

/** What a certificate signing request says, its signature verified: whoever sent it holds the key. */
export interface SigningRequest {
  readonly publicKey: KeyObject;
  readonly names: CertificateNames;
  /** Common names in the subject. */
  readonly commonNames: readonly string[];
  /** Whether it asks for the rights of an authority. */
  readonly asksForAuthority: boolean;
}

/** Reads a PKCS #10 request, PEM. RFC 2986. Throws {@link CertificateError} saying what is wrong with it. */
export async function readSigningRequest(text: string): Promise<SigningRequest> {
  const body = /-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END/.exec(text)?.[1];
  if (body === undefined) throw new CertificateError('the request is not a PEM certificate request (PKCS #10)');
  let request: Pkcs10CertificateRequest;
  let publicKey: KeyObject;
  let names: CertificateNames;
  let commonNames: string[];
  let asksForAuthority: boolean;
  try {
    request = new Pkcs10CertificateRequest(Buffer.from(body, 'base64'));
    publicKey = createPublicKey({ key: Buffer.from(request.publicKey.rawData), format: 'der', type: 'spki' });
    names = namesOf(request.extensions);
    commonNames = request.subjectName.getField('CN');
    const constraints = request.extensions.find(({ type }) => type === basicConstraintsOid);
    asksForAuthority = constraints !== undefined && new BasicConstraintsExtension(constraints.rawData).ca;
  } catch (error) {
    if (error instanceof CertificateError) throw error;
    throw new CertificateError('the certificate request is not readable');
  }
  if (!/^SHA-(256|384|512)$/.test(request.signatureAlgorithm.hash?.name ?? '')) {
    throw new CertificateError('the certificate request must be signed with SHA-256, SHA-384 or SHA-512');
  }
  if (!(await verifies(request))) throw new CertificateError('the signature of the certificate request is wrong');
  return { publicKey, names, commonNames, asksForAuthority };
}

async function verifies(request: Pkcs10CertificateRequest): Promise<boolean> {
  try {
    return await request.verify(webcrypto as never);
  } catch {
    return false; // a key or algorithm that the runtime does not know
  }
}

function namesOf(extensions: readonly Extension[]): CertificateNames {
  const found = extensions.find(({ type }) => type === subjectAltNameOid);
  if (found === undefined) return noNames;
  const names = { dns: [] as string[], ip: [] as string[], uri: [] as string[], email: [] as string[] };
  for (const { type, value } of new SubjectAlternativeNameExtension(found.rawData).names.toJSON()) {
    if (type === 'dns') names.dns.push(value);
    else if (type === 'ip') names.ip.push(value);
    else if (type === 'url') names.uri.push(value);
    else if (type === 'email') names.email.push(value);
    else throw new CertificateError(`the certificate request has an alternative name of the kind '${type}'`);
  }
  return names;
}

/** Makes a PKCS #10 request for names, signed with their key; the text is PEM. */
export async function createSigningRequest(key: SecretText, names: CertificateNames): Promise<string> {
  const { key: privateKey, algorithm } = await importSigner(key);
  const der = spki(createPublicKey(key.reveal()));
  const publicKey = await webcrypto.subtle.importKey('spki', new Uint8Array(der), algorithm, true, ['verify']);
  const request = await Pkcs10CertificateRequestGenerator.create(
    {
      name: '',
      keys: { privateKey, publicKey } as never,
      signingAlgorithm: algorithm,
      extensions: nameTexts(names).length === 0 ? [] : [new SubjectAlternativeNameExtension(generalNames(names))],
    },
    webcrypto as never,
  );
  return pem(request.toString('pem'));
}

/** What a revocation list says of itself. */
export interface RevocationListFacts {
  readonly number: number;
  readonly thisUpdateMs: number;
  readonly nextUpdateMs: number;
  /** Serial numbers, upper-case hexadecimal. */
  readonly serials: readonly string[];
}

/** Reads a revocation list, DER; null when it is not readable or not signed by `issuerPem`. */
export async function readRevocationList(list: Buffer, issuerPem: string): Promise<RevocationListFacts | null> {
  try {
    const crl = new X509Crl(list);
    const issuer = new X509Certificate(firstCertificate(issuerPem));
    if (!(await crl.verify({ publicKey: issuer.publicKey }, webcrypto as never))) return null;
    const number = crl.extensions.find(({ type }) => type === crlNumberOid);
    const [element] = number === undefined ? [] : readDer(Buffer.from(number.value));
    return {
      number: element?.tag === derTags.integer ? readDerInteger(element.content) : 0,
      thisUpdateMs: crl.thisUpdate.getTime(),
      nextUpdateMs: crl.nextUpdate?.getTime() ?? 0,
      serials: crl.entries.map(({ serialNumber: serial }) => serial.toUpperCase()),
    };
  } catch {
    return null;
  }
}

/** The path length of an authority's certificate; null when it is not limited. Throws for what is no authority. */
export function pathLengthOf(certificatePem: string): number | null {
  const constraints = new X509Certificate(firstCertificate(certificatePem)).getExtension(BasicConstraintsExtension);
  if (constraints?.ca !== true) throw new CertificateError('the certificate is not one of an authority');
  return constraints.pathLength ?? null;
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

function pem(text: string): string {
  return `${text.trim()}\n`;
}

/** The first certificate of a PEM chain. */
function firstCertificate(chainPem: string): string {
  const end = '-----END CERTIFICATE-----';
  return `${chainPem.slice(0, chainPem.indexOf(end) + end.length)}\n`;
}

function spki(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' });
}

/** The algorithm that signatures with this key are made with: the hash that fits the curve. */
function signingAlgorithm(key: KeyObject): { name: string; hash: string; namedCurve?: string } {
  if (key.asymmetricKeyType !== 'ec') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  const curve = key.export({ format: 'jwk' }).crv!;
  return { name: 'ECDSA', namedCurve: curve, hash: curve === 'P-384' ? 'SHA-384' : 'SHA-256' };
}

async function importSigner(
  privateKey: SecretText,
): Promise<{ key: webcrypto.CryptoKey; algorithm: ReturnType<typeof signingAlgorithm> }> {
  const key = createPrivateKey(privateKey.reveal());
  const algorithm = signingAlgorithm(key);
  const der = key.export({ type: 'pkcs8', format: 'der' });
  return { key: await webcrypto.subtle.importKey('pkcs8', new Uint8Array(der), algorithm, false, ['sign']), algorithm };
}
