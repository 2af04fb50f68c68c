import { Buffer } from 'node:buffer';
import { constants, createHmac, type KeyObject, timingSafeEqual, verify } from 'node:crypto';

/** What a signature algorithm needs of a key. */
export interface Algorithm {
  readonly keyType: 'RSA' | 'EC' | 'OKP' | 'oct';
  readonly hash: string | null;
  readonly pss: boolean;
  /** `crv` that an EC key must have, and how long its signatures are. */
  readonly curve: string;
  readonly signatureOctets: number;
}

const rsa = (hash: string, pss: boolean): Algorithm => ({ keyType: 'RSA', hash, pss, curve: '', signatureOctets: 0 });
const ec = (hash: string, curve: string, signatureOctets: number): Algorithm => ({
  keyType: 'EC',
  hash,
  pss: false,
  curve,
  signatureOctets,
});
const hmac = (hash: string): Algorithm => ({ keyType: 'oct', hash, pss: false, curve: '', signatureOctets: 0 });

/** The algorithms of RFC 7518 and RFC 8037 that Envoy takes, by their `alg`. `none` is not one of them. */
export const algorithms: ReadonlyMap<string, Algorithm> = new Map([
  ['RS256', rsa('sha256', false)],
  ['RS384', rsa('sha384', false)],
  ['RS512', rsa('sha512', false)],
  ['PS256', rsa('sha256', true)],
  ['PS384', rsa('sha384', true)],
  ['PS512', rsa('sha512', true)],
  ['ES256', ec('sha256', 'P-256', 64)],
  ['ES384', ec('sha384', 'P-384', 96)],
  ['ES512', ec('sha512', 'P-521', 132)],
  ['HS256', hmac('sha256')],
  ['HS384', hmac('sha384')],
  ['HS512', hmac('sha512')],
  ['EdDSA', { keyType: 'OKP', hash: null, pss: false, curve: 'Ed25519', signatureOctets: 64 }],
]);

/** Whether `signature` is that of `data`. `key`: a public key, or the octets of a secret for HMAC. */
export function verifySignature(
  algorithm: Algorithm,
  key: KeyObject | Uint8Array,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (algorithm.signatureOctets !== 0 && signature.length !== algorithm.signatureOctets) return false;
  if (key instanceof Uint8Array) {
    const expected = createHmac(algorithm.hash ?? '', key)
      .update(data)
      .digest();
    return expected.length === signature.length && timingSafeEqual(expected, Buffer.from(signature));
  }
  try {
    if (algorithm.keyType === 'EC') {
      return verify(algorithm.hash, data, { key, dsaEncoding: 'ieee-p1363' }, signature);
    }
    if (algorithm.pss) {
      const padding = constants.RSA_PKCS1_PSS_PADDING;
      return verify(algorithm.hash, data, { key, padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }, signature);
    }
    return verify(algorithm.hash, data, key, signature);
  } catch {
    return false; // a key of the wrong kind
  }
}
