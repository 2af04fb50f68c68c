import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';

const algorithm = 'ES256';

/** What the front gateway asks of a token; the same words are in front.yaml. */
const issuer = 'sluice-demo';
const audience = 'front-proxy';

/** Makes the demo's signing key unless it is there, and the key set that the front gateway reads. */
export async function ensureJwtKeys(data: string): Promise<void> {
  const keyFile = join(data, 'jwt-key.json');
  if (existsSync(keyFile) && existsSync(join(data, 'jwks.json'))) return;
  mkdirSync(data, { recursive: true });
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  const shared = { kid: await calculateJwkThumbprint(await exportJWK(publicKey)), alg: algorithm, use: 'sig' };
  const publicJwk: JWK = { ...(await exportJWK(publicKey)), ...shared };
  const privateJwk: JWK = { ...(await exportJWK(privateKey)), ...shared };
  writeFileSync(keyFile, JSON.stringify(privateJwk), { mode: 0o600 });
  chmodSync(keyFile, 0o600);
  writeFileSync(join(data, 'jwks.json'), `${JSON.stringify({ keys: [publicJwk] }, null, 2)}\n`);
}

/** Makes a token that passes on /private for an hour. Throws when the demo has not been started yet. */
export async function mintJwt(data: string, nowSeconds: number): Promise<string> {
  const jwk = JSON.parse(readFileSync(join(data, 'jwt-key.json'), 'utf8')) as JWK;
  return await new SignJWT({ scope: 'private' })
    .setProtectedHeader({ alg: algorithm, kid: jwk.kid!, typ: 'JWT' })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject('demo-user')
    .setIssuedAt(nowSeconds)
    .setExpirationTime(nowSeconds + 3600)
    .sign(await importJWK(jwk, algorithm));
}
