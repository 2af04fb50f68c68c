import { createHash } from 'node:crypto';
import { type ClientHello, TlsVersion } from './client-hello.ts';

const extensionServerName = 0;
const extensionAlpn = 16;
const extensionVersions = 43;

/** Values that clients send to keep servers tolerant; fingerprints leave them out. RFC 8701. */
function isGrease(value: number): boolean {
  return (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff);
}

function withoutGrease(values: readonly number[]): number[] {
  return values.filter((value) => !isGrease(value));
}

/**
 * JA3: the MD5, in hexadecimal, of what the ClientHello offers in its own order. As in Envoy, the groups keep their GREASE,
 * so browsers have a fingerprint that differs from the published one, and from one connection to the next.
 */
export function ja3Fingerprint(hello: ClientHello): string {
  const parts = [
    String(hello.legacyVersion),
    withoutGrease(hello.cipherSuites).join('-'),
    withoutGrease(hello.extensions).join('-'),
    (hello.groups ?? []).join('-'),
    hello.pointFormats.join('-'),
  ];
  return createHash('md5').update(parts.join(',')).digest('hex');
}

/** JA4: what the ClientHello offers, sorted, so that clients which shuffle their extensions keep their fingerprint. */
export function ja4Fingerprint(hello: ClientHello): string {
  const suites = withoutGrease(hello.cipherSuites);
  const extensions = withoutGrease(hello.extensions);
  const name = hello.extensions.includes(extensionServerName) ? 'd' : 'i';
  const counts = `${twoDigits(suites.length)}${twoDigits(extensions.length)}`;
  const shown = `t${versionOf(hello)}${name}${counts}${protocolLetters(hello.applicationProtocols[0] ?? '')}`;
  const listed = sortedHex(extensions.filter((type) => type !== extensionServerName && type !== extensionAlpn));
  const algorithms = (hello.signatureAlgorithms ?? []).map(hex4);
  const offered = algorithms.length === 0 ? listed : `${listed}_${algorithms.join(',')}`;
  return `${shown}_${shortHash(sortedHex(suites))}_${shortHash(offered)}`;
}

function versionOf(hello: ClientHello): string {
  const offered = hello.extensions.includes(extensionVersions) ? withoutGrease(hello.versions) : [];
  switch (offered.length === 0 ? hello.legacyVersion : Math.max(...offered)) {
    case TlsVersion.Tls13:
      return '13';
    case TlsVersion.Tls12:
      return '12';
    case TlsVersion.Tls11:
      return '11';
    case TlsVersion.Tls10:
      return '10';
    default:
      return '00';
  }
}

/** First and last letter of the first protocol offered; of one that is not alphanumeric, its hexadecimal digits. */
function protocolLetters(protocol: string): string {
  if (protocol === '') return '00';
  const first = protocol[0]!;
  const last = protocol[protocol.length - 1]!;
  if (/^[0-9A-Za-z]{2}$/.test(first + last)) return first + last;
  return hex2(first)[0]! + hex2(last)[1]!;
}

function hex2(letter: string): string {
  return letter.charCodeAt(0).toString(16).padStart(2, '0');
}

function hex4(value: number): string {
  return value.toString(16).padStart(4, '0');
}

function sortedHex(values: readonly number[]): string {
  return values.map(hex4).sort().join(',');
}

function twoDigits(count: number): string {
  return String(Math.min(count, 99)).padStart(2, '0');
}

/** First twelve hexadecimal digits of the SHA-256; zeros for an empty list. */
function shortHash(text: string): string {
  return text === '' ? '000000000000' : createHash('sha256').update(text).digest('hex').slice(0, 12);
}
