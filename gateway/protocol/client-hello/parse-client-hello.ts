import { type ClientHello, TlsVersion } from './client-hello.ts';

const extensionServerName = 0;
const extensionGroups = 10;
const extensionPointFormats = 11;
const extensionSignatureAlgorithms = 13;
const extensionAlpn = 16;
const extensionSessionTicket = 35;
const extensionPreSharedKey = 41;
const extensionVersions = 43;
const maxServerNameOctets = 255; // RFC 1035 section 2.3.4

/** Walks a message; every read is bounded by `end`, and one past it sets `failed`. */
class Cursor {
  readonly bytes: Uint8Array;
  at: number;
  end: number;
  failed = false;

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  u8(): number {
    if (this.at + 1 > this.end) return this.fail();
    return this.bytes[this.at++]!;
  }

  u16(): number {
    if (this.at + 2 > this.end) return this.fail();
    const value = (this.bytes[this.at]! << 8) | this.bytes[this.at + 1]!;
    this.at += 2;
    return value;
  }

  skip(octets: number): void {
    if (this.at + octets > this.end) this.fail();
    else this.at += octets;
  }

  /** A vector whose length takes `lengthOctets`; this cursor moves past it. */
  vector(lengthOctets: 1 | 2): Cursor {
    const length = lengthOctets === 1 ? this.u8() : this.u16();
    const start = this.at;
    this.skip(length);
    const inner = new Cursor(this.bytes, start, this.failed ? start : start + length);
    inner.failed = this.failed;
    return inner;
  }

  u16s(): number[] {
    const values: number[] = [];
    while (this.at < this.end && !this.failed) values.push(this.u16());
    return values;
  }

  fail(): number {
    this.failed = true;
    this.at = this.end;
    return 0;
  }

  get done(): boolean {
    return this.at >= this.end;
  }
}

function text(bytes: Uint8Array, start: number, end: number): string {
  let out = '';
  for (let i = start; i < end; i++) out += String.fromCharCode(bytes[i]!);
  return out;
}

/**
 * Parses the body of one ClientHello handshake message, `bytes[start, end)` without its four-octet header.
 * Null: malformed. Nothing of `bytes` is kept.
 */
export function parseClientHello(bytes: Uint8Array, start: number, end: number): ClientHello | null {
  const cursor = new Cursor(bytes, start, end);
  const legacyVersion = cursor.u16();
  cursor.skip(32); // random
  const sessionId = cursor.vector(1);
  if (sessionId.end - sessionId.at > 32) return null;
  const suites = cursor.vector(2);
  const cipherSuites = suites.u16s();
  const compression = cursor.vector(1);
  if (cursor.failed || suites.failed || cipherSuites.length === 0 || compression.done) return null;

  const extensions: number[] = [];
  let serverName = '';
  let applicationProtocols: readonly string[] = [];
  let versions: readonly number[] | null = null;
  let groups: readonly number[] | null = null;
  let signatureAlgorithms: readonly number[] | null = null;
  let pointFormats: readonly number[] = [];
  let offersResumption = false;

  if (!cursor.done) {
    const list = cursor.vector(2);
    if (cursor.failed || !cursor.done) return null;
    while (!list.done) {
      const type = list.u16();
      const body = list.vector(2);
      if (list.failed) return null;
      if (extensions.includes(type)) return null; // RFC 8446 section 4.2: at most one of a type
      extensions.push(type);
      switch (type) {
        case extensionServerName: {
          const name = readServerName(body);
          if (name === null) return null;
          serverName = name;
          break;
        }
        case extensionAlpn: {
          const protocols = readProtocols(body);
          if (protocols === null) return null;
          applicationProtocols = protocols;
          break;
        }
        case extensionVersions:
          versions = readU16List(body, 1);
          if (versions === null) return null;
          break;
        case extensionGroups:
          groups = readU16List(body, 2);
          if (groups === null) return null;
          break;
        case extensionSignatureAlgorithms:
          signatureAlgorithms = readU16List(body, 2);
          if (signatureAlgorithms === null) return null;
          break;
        case extensionPointFormats: {
          const formats = body.vector(1);
          if (body.failed) return null;
          pointFormats = [...bytes.subarray(formats.at, formats.end)];
          break;
        }
        case extensionSessionTicket:
          offersResumption ||= !body.done;
          break;
        case extensionPreSharedKey:
          offersResumption = true;
          break;
        default:
      }
    }
  }
  return {
    legacyVersion,
    versions: versions ?? versionsUpTo(legacyVersion),
    cipherSuites,
    extensions,
    serverName,
    applicationProtocols,
    groups,
    signatureAlgorithms,
    pointFormats,
    offersResumption: offersResumption || sessionId.end > sessionId.at,
  };
}

function readServerName(body: Cursor): string | null {
  const list = body.vector(2);
  if (body.failed || !body.done || list.done) return null;
  const nameType = list.u8();
  const name = list.vector(2);
  if (list.failed || !list.done || nameType !== 0) return null;
  const octets = name.end - name.at;
  if (octets === 0 || octets > maxServerNameOctets) return null;
  for (let i = name.at; i < name.end; i++) if (name.bytes[i] === 0) return null;
  return text(name.bytes, name.at, name.end).toLowerCase();
}

function readProtocols(body: Cursor): string[] | null {
  const list = body.vector(2);
  if (body.failed || !body.done || list.done) return null;
  const protocols: string[] = [];
  while (!list.done) {
    const name = list.vector(1);
    if (list.failed || name.at === name.end) return null;
    protocols.push(text(name.bytes, name.at, name.end));
  }
  return protocols;
}

function readU16List(body: Cursor, lengthOctets: 1 | 2): number[] | null {
  const list = body.vector(lengthOctets);
  if (body.failed || !body.done) return null;
  const values = list.u16s();
  return list.failed || values.length === 0 ? null : values;
}

function versionsUpTo(legacyVersion: number): number[] {
  const versions: number[] = [];
  for (let version = Math.min(legacyVersion, TlsVersion.Tls12); version >= TlsVersion.Tls10; version--) {
    versions.push(version);
  }
  return versions;
}
