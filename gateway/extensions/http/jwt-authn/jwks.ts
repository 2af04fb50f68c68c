import { Buffer } from 'node:buffer';
import { createPublicKey, type KeyObject } from 'node:crypto';
import { type Algorithm, algorithms, verifySignature } from './algorithms.ts';
import { JwtStatus } from './jwt-status.ts';
import { decodeBase64Url, type JwtToken } from './jwt-token.ts';

interface Jwk {
  readonly kid: string;
  readonly alg: string;
  readonly keyType: Algorithm['keyType'];
  readonly curve: string;
  readonly key: KeyObject | Uint8Array;
}

type JwkJson = { readonly [name: string]: unknown };

/** A set of keys. RFC 7517. Keys of kinds we do not know are left out. */
export class Jwks {
  readonly #keys: readonly Jwk[];

  constructor(keys: readonly Jwk[]) {
    this.#keys = keys;
  }

  /** Verifies the signature only. */
  verify(token: JwtToken): JwtStatus {
    const algorithm = algorithms.get(token.alg)!;
    let data: Uint8Array | null = null;
    let matched = false;
    for (const key of this.#keys) {
      if (token.kid !== '' && key.kid !== '' && key.kid !== token.kid) continue;
      if (key.alg !== '' && key.alg !== token.alg) continue;
      matched = true;
      // A key is used for its own kind only: a public key must never serve as an HMAC secret.
      if (key.keyType !== algorithm.keyType || (key.curve !== '' && key.curve !== algorithm.curve)) continue;
      data ??= Buffer.from(token.signed, 'latin1');
      if (verifySignature(algorithm, key.key, data, token.signature)) return JwtStatus.Ok;
    }
    return matched ? JwtStatus.VerificationFail : JwtStatus.KidAlgMismatch;
  }
}

/** Reads a JWKS (or one PEM public key); null when there is no usable key in it. */
export function parseJwks(text: string): Jwks | null {
  if (text.trimStart().startsWith('-----BEGIN')) return parsePem(text);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return null;
  }
  const list = (json as { keys?: unknown } | null)?.keys;
  const found = Array.isArray(list) ? list : typeof json === 'object' && json !== null && 'kty' in json ? [json] : [];
  const keys = found.flatMap((item) => readKey(item as JwkJson) ?? []);
  return keys.length === 0 ? null : new Jwks(keys);
}

function readKey(json: JwkJson): Jwk | null {
  const text = (name: string): string => (typeof json[name] === 'string' ? (json[name] as string) : '');
  const kty = text('kty');
  const base = { kid: text('kid'), alg: text('alg') };
  if (kty === 'oct') {
    const key = decodeBase64Url(text('k').replace(/=+$/, ''));
    return key === null ? null : { ...base, keyType: 'oct', curve: '', key };
  }
  if (kty !== 'RSA' && kty !== 'EC' && kty !== 'OKP') return null;
  const curve = kty === 'RSA' ? '' : text('crv');
  try {
    const key = createPublicKey({ key: json as JsonWebKey, format: 'jwk' });
    return { ...base, keyType: kty, curve, key };
  } catch {
    return null;
  }
}

type JsonWebKey =
  Exclude<Parameters<typeof createPublicKey>[0], string | Buffer | KeyObject> extends infer T
    ? T extends { key: infer K; format: 'jwk' }
      ? K
      : never
    : never;

const keyTypes: Readonly<Record<string, Algorithm['keyType']>> = { rsa: 'RSA', ec: 'EC', ed25519: 'OKP' };

function parsePem(text: string): Jwks | null {
  try {
    const key = createPublicKey(text);
    const keyType = keyTypes[key.asymmetricKeyType ?? ''];
    return keyType === undefined ? null : new Jwks([{ kid: '', alg: '', keyType, curve: '', key }]);
  } catch {
    return null;
  }
}
