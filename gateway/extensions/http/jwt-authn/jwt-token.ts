import { Buffer } from 'node:buffer';
import type { JsonValue } from '#gateway/api/stream-info.ts';
import { algorithms } from './algorithms.ts';
import { JwtStatus } from './jwt-status.ts';

/** A JSON object. */
export type JsonObject = { [key: string]: JsonValue };

/** A token taken apart; nothing of it is verified. Times in seconds since the epoch, 0: none. RFC 7519. */
export interface JwtToken {
  readonly text: string;
  readonly header: JsonObject;
  readonly payload: JsonObject;
  readonly payloadBase64: string;
  /** `header.payload`, what the signature is of. */
  readonly signed: string;
  readonly signature: Uint8Array;
  readonly alg: string;
  /** '' when it names none. */
  readonly kid: string;
  readonly issuer: string;
  readonly subject: string;
  readonly audiences: readonly string[];
  readonly expires: number;
  readonly notBefore: number;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Takes a token apart; a status text when it is malformed. RFC 7515 section 5.2, in Envoy's order of checks. */
export function parseJwt(text: string): JwtToken | JwtStatus {
  const parts = text.split('.');
  if (parts.length !== 3 || parts.includes('')) return JwtStatus.BadFormat;
  const [head, body, tail] = parts as [string, string, string];
  const headerOctets = decodeBase64Url(head);
  if (headerOctets === null) return JwtStatus.HeaderBadBase64;
  const header = parseObject(headerOctets);
  if (header === null) return JwtStatus.HeaderBadJson;
  const { alg, kid } = header;
  if (typeof alg !== 'string') return JwtStatus.HeaderBadAlg;
  if (!algorithms.has(alg)) return JwtStatus.HeaderUnknownAlg;
  if (kid !== undefined && typeof kid !== 'string') return JwtStatus.HeaderBadKid;
  const payloadOctets = decodeBase64Url(body);
  if (payloadOctets === null) return JwtStatus.PayloadBadBase64;
  const payload = parseObject(payloadOctets);
  if (payload === null) return JwtStatus.PayloadBadJson;
  const bad = checkClaims(payload);
  if (bad !== null) return bad;
  const signature = decodeBase64Url(tail);
  if (signature === null) return JwtStatus.SignatureBadBase64;
  const { aud } = payload;
  return {
    text,
    header,
    payload,
    payloadBase64: body,
    signed: text.slice(0, head.length + 1 + body.length),
    signature,
    alg,
    kid: kid ?? '',
    issuer: (payload['iss'] as string | undefined) ?? '',
    subject: (payload['sub'] as string | undefined) ?? '',
    audiences: aud === undefined ? [] : typeof aud === 'string' ? [aud] : (aud as string[]),
    expires: (payload['exp'] as number | undefined) ?? 0,
    notBefore: (payload['nbf'] as number | undefined) ?? 0,
  };
}

/** Strict base64url without padding. RFC 4648 section 5. Null when malformed. */
export function decodeBase64Url(text: string): Uint8Array | null {
  if (!/^[A-Za-z0-9_-]+$/.test(text) || text.length % 4 === 1) return null;
  return Buffer.from(text, 'base64url');
}

function parseObject(octets: Uint8Array): JsonObject | null {
  try {
    const value: unknown = JSON.parse(utf8.decode(octets));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null;
  } catch {
    return null;
  }
}

function checkClaims(payload: JsonObject): JwtStatus | null {
  if (notString(payload['iss'])) return JwtStatus.IssNotString;
  if (notString(payload['sub'])) return JwtStatus.SubNotString;
  const times = [
    ['iat', JwtStatus.IatNotInteger, JwtStatus.IatOutOfRange],
    ['nbf', JwtStatus.NbfNotInteger, JwtStatus.NbfOutOfRange],
    ['exp', JwtStatus.ExpNotInteger, JwtStatus.ExpOutOfRange],
  ] as const;
  for (const [name, notInteger, outOfRange] of times) {
    const value = payload[name];
    if (value === undefined) continue;
    if (typeof value !== 'number') return notInteger;
    if (value < 0 || value >= 2 ** 63) return outOfRange;
  }
  if (notString(payload['jti'])) return JwtStatus.JtiNotString;
  const { aud } = payload;
  if (aud === undefined || typeof aud === 'string') return null;
  return Array.isArray(aud) && aud.every((item) => typeof item === 'string') ? null : JwtStatus.AudNotString;
}

function notString(value: JsonValue | undefined): boolean {
  return value !== undefined && typeof value !== 'string';
}
