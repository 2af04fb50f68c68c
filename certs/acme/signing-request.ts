// reflect-metadata must come first: the X.509 library needs it while it loads. Imported when an order is finalized.
import 'reflect-metadata';
import { createPrivateKey, generateKeyPair, webcrypto } from 'node:crypto';
import { promisify } from 'node:util';
import { Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } from '@peculiar/x509';
import { SecretText } from '../ca/secret-text.ts';
import type { AcmeKeyType } from './acme-settings.ts';

/** A new private key, PKCS #8 PEM. */
export async function createKey(keyType: AcmeKeyType): Promise<SecretText> {
  const privateKeyEncoding = { type: 'pkcs8', format: 'pem' } as const;
  const publicKeyEncoding = { type: 'spki', format: 'pem' } as const;
  const generate = promisify(generateKeyPair);
  const { privateKey } = keyType.startsWith('rsa')
    ? await generate('rsa', { modulusLength: Number(keyType.slice(3)), privateKeyEncoding, publicKeyEncoding })
    : await generate('ec', {
        namedCurve: keyType === 'p256' ? 'P-256' : 'P-384',
        privateKeyEncoding,
        publicKeyEncoding,
      });
  return new SecretText(privateKey as unknown as string);
}

/** A certificate signing request for DNS names, PEM. RFC 2986; RFC 8555 section 7.4. */
export async function createSigningRequest(
  names: readonly string[],
  keyType: AcmeKeyType,
  key: SecretText,
): Promise<string> {
  const algorithm = keyType.startsWith('rsa')
    ? ({ name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } as const)
    : ({
        name: 'ECDSA',
        namedCurve: keyType === 'p256' ? 'P-256' : 'P-384',
        hash: keyType === 'p256' ? 'SHA-256' : 'SHA-384',
      } as const);
  const privateKey = createPrivateKey(key.reveal());
  const { subtle } = webcrypto;
  const pkcs8 = new Uint8Array(privateKey.export({ type: 'pkcs8', format: 'der' }));
  const signingKey = await subtle.importKey('pkcs8', pkcs8, algorithm, true, ['sign']);
  const jwk = await subtle.exportKey('jwk', signingKey);
  // The public part only: what a private key's JWK has besides is left out.
  const { kty, crv, x, y, n, e } = jwk;
  const publicJwk = kty === 'RSA' ? { kty, n, e } : { kty, crv, x, y };
  const verifyKey = await subtle.importKey('jwk', publicJwk as webcrypto.JsonWebKey, algorithm, true, ['verify']);
  const request = await Pkcs10CertificateRequestGenerator.create({
    // No common name: it may be no longer than 64 characters, and peers look at the alternative names only.
    name: '',
    keys: { privateKey: signingKey, publicKey: verifyKey },
    signingAlgorithm: algorithm,
    extensions: [new SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value })))],
  });
  return request.toString('pem');
}
