import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

x509.cryptoProvider.set(webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[0]);

// biome-ignore lint/suspicious/noExplicitAny: the library names the DOM's key types, which the compiler is not given
type KeyPair = any;

/** A certificate with its private key, as PEM, and what is needed to issue others with it. */
export interface TestCertificate {
  readonly certificate: string;
  readonly privateKey: string;
  readonly x509: x509.X509Certificate;
  readonly keys: KeyPair;
}

/** What a test wants of a certificate. */
export interface CertificateOptions {
  readonly name: string;
  /** Subject alternative names: `dns:a.test`, `uri:spiffe://x`, `ip:127.0.0.1`, `email:a@b.test`. */
  readonly sans?: readonly string[];
  readonly issuer?: TestCertificate;
  readonly ca?: boolean;
  readonly key?: 'ecdsa' | 'rsa' | 'short rsa';
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** Extended key usages; default none. */
  readonly usages?: readonly ('serverAuth' | 'clientAuth')[];
  readonly pathLength?: number;
  readonly extensions?: readonly x509.Extension[];
}

const usageOids = { serverAuth: '1.3.6.1.5.5.7.3.1', clientAuth: '1.3.6.1.5.5.7.3.2' } as const;
const algorithms = {
  ecdsa: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  rsa: {
    name: 'RSASSA-PKCS1-v1_5',
    modulusLength: 2048,
    publicExponent: new Uint8Array([1, 0, 1]),
    hash: 'SHA-256',
  },
} as const;
/** An extension that no library knows, marked critical. */
export const unknownCriticalExtension: x509.Extension = new x509.Extension('1.2.3.4.5', true, new Uint8Array([5, 0]));
/** The TLS feature extension that demands an OCSP staple. RFC 7633. */
export const mustStapleExtension: x509.Extension = new x509.Extension(
  '1.3.6.1.5.5.7.1.24',
  false,
  new Uint8Array([0x30, 3, 2, 1, 5]),
);
/** A KeyUsage with one bit. */
export function keyUsageExtension(usage: 'digitalSignature' | 'keyEncipherment'): x509.Extension {
  return new x509.KeyUsagesExtension(x509.KeyUsageFlags[usage], true);
}

const shortRsa = { ...algorithms.rsa, modulusLength: 1024 };
let serial = 0;

async function makeKeys(algorithm: (typeof algorithms)['ecdsa' | 'rsa'] | typeof shortRsa): Promise<KeyPair> {
  return await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

/** Makes a certificate: self-signed, or signed by `issuer`. */
export async function createCertificate(options: CertificateOptions): Promise<TestCertificate> {
  const { key = 'ecdsa' } = options;
  const algorithm = key === 'short rsa' ? shortRsa : algorithms[key];
  const keys = await makeKeys(algorithm);
  const signer = options.issuer?.keys ?? keys;
  const issuerAlgorithm = signer.privateKey.algorithm.name as string;
  const extensions: x509.Extension[] = [
    new x509.BasicConstraintsExtension(options.ca === true, options.pathLength, true),
  ];
  const identifier = await x509.SubjectKeyIdentifierExtension.create(keys.publicKey);
  extensions.push(identifier);
  if (options.ca === true) {
    extensions.push(new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true));
  }
  if (options.usages !== undefined) {
    extensions.push(new x509.ExtendedKeyUsageExtension(options.usages.map((usage) => usageOids[usage])));
  }
  if (options.sans !== undefined && options.sans.length > 0) {
    const names = options.sans.map((san) => {
      const at = san.indexOf(':');
      const kind = san.slice(0, at) === 'uri' ? 'url' : san.slice(0, at);
      return { type: kind as 'dns', value: san.slice(at + 1) };
    });
    extensions.push(new x509.SubjectAlternativeNameExtension(names));
  }
  extensions.push(...(options.extensions ?? []));
  serial++;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: (serial + 0x10000).toString(16).padStart(8, '0'),
    subject: `CN=${options.name}`,
    issuer: options.issuer?.x509.subject ?? `CN=${options.name}`,
    notBefore: options.notBefore ?? new Date(Date.now() - 86_400_000),
    notAfter: options.notAfter ?? new Date(Date.now() + 10 * 86_400_000),
    signingAlgorithm: issuerAlgorithm === 'ECDSA' ? algorithms.ecdsa : algorithms.rsa,
    publicKey: keys.publicKey,
    signingKey: signer.privateKey,
    extensions,
  });
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    certificate: `${certificate.toString('pem')}\n`,
    privateKey: `${x509.PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n`,
    x509: certificate,
    keys,
  };
}
