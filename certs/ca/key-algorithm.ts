import { createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { SecretText } from './secret-text.ts';

/** Keys that are made and accepted. */
export const keyAlgorithms = ['P-256', 'P-384', 'RSA-2048', 'RSA-3072', 'RSA-4096'] as const;
/** @see keyAlgorithms */
export type KeyAlgorithm = (typeof keyAlgorithms)[number];

const curves: Readonly<Record<string, string>> = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' };
const generate = promisify(generateKeyPair) as (
  type: 'ec' | 'rsa',
  options: { namedCurve: string } | { modulusLength: number },
) => Promise<{ privateKey: KeyObject }>;

/** Makes a key; the text is PKCS #8 PEM. */
export async function generatePrivateKey(algorithm: KeyAlgorithm): Promise<SecretText> {
  const { privateKey } = algorithm.startsWith('RSA-')
    ? await generate('rsa', { modulusLength: Number(algorithm.slice(4)) })
    : await generate('ec', { namedCurve: algorithm });
  return new SecretText(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
}

/** What kind of key this is, as `P-256`, `RSA-2048`, `Ed25519`: also for kinds that are not accepted. */
export function describeKey(key: KeyObject): string {
  if (key.asymmetricKeyType === 'ec') {
    const curve = key.asymmetricKeyDetails?.namedCurve ?? key.export({ format: 'jwk' }).crv ?? 'unknown curve';
    return curves[curve] ?? curve;
  }
  if (key.asymmetricKeyType === 'rsa' || key.asymmetricKeyType === 'rsa-pss') return `RSA-${modulusLength(key)}`;
  if (key.asymmetricKeyType === 'ed25519') return 'Ed25519';
  return key.asymmetricKeyType ?? 'unknown';
}

function modulusLength(key: KeyObject): number {
  const known = key.asymmetricKeyDetails?.modulusLength;
  if (known !== undefined) return known;
  const { n = '' } = createPublicKey(key as never).export({ format: 'jwk' }) as { n?: string };
  return Math.floor((n.length * 6) / 8) * 8;
}

/** Why a certificate must not be issued for this key; null when it may. RSA moduli of other lengths in between are fine. */
export function keyProblem(key: KeyObject): string | null {
  const kind = describeKey(key);
  if ((keyAlgorithms as readonly string[]).includes(kind)) return null;
  if (key.asymmetricKeyType === 'rsa') {
    const bits = Number(kind.slice(4));
    if (bits >= 2048 && bits <= 4096) return null;
    return `an RSA key of ${bits} bits is ${bits < 2048 ? 'too short' : 'too long'}: 2048 to 4096 are accepted`;
  }
  return `keys of the kind ${kind} are not accepted: ${keyAlgorithms.join(', ')} are`;
}
