import { Buffer } from 'node:buffer';
import { randomBytes, X509Certificate } from 'node:crypto';
import net from 'node:net';

/** A ClientHello to be written by hand; absent parts are left out of the message. */
export interface RawHello {
  /** supported_versions; absent: TLS 1.2 by its legacy version alone. */
  readonly versions?: readonly number[];
  readonly suites: readonly number[];
  readonly serverName?: string;
  readonly alpn?: readonly string[];
  readonly groups?: readonly number[];
  readonly signatureAlgorithms?: readonly number[];
  /** status_request: the client takes an OCSP staple. */
  readonly statusRequest?: boolean;
  /** Further extensions, each with its type. */
  readonly more?: readonly (readonly [number, Uint8Array])[];
}

/** What a server said in clear text. */
export interface RawAnswer {
  /** Code of the alert, or -1. */
  readonly alert: number;
  /** From the ServerHello, as on the wire; 0 when there was none. */
  readonly version: number;
  readonly suite: number;
  /** The key exchange group that a TLS 1.3 server took or asks for, or 0. */
  readonly group: number;
  /** Common name of the leaf of a TLS 1.2 certificate message, or ''. */
  readonly subject: string;
  readonly alpn: string;
  /** The server sent an OCSP staple (TLS 1.2). */
  readonly stapled: boolean;
  /** Everything received. */
  readonly octets: Buffer;
  /** How it ended: the server's flight is complete, or the connection closed. */
  readonly end: 'flight' | 'closed' | 'reset';
}

const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
const vector16 = (...parts: Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([u16(body.length), body]);
};
const vector8 = (body: Uint8Array): Buffer => Buffer.concat([Buffer.from([body.length]), body]);
const extension = (type: number, ...body: Uint8Array[]): Buffer => Buffer.concat([u16(type), vector16(...body)]);

/** The handshake message, its four-octet header included. */
export function helloMessage(hello: RawHello): Buffer {
  const extensions: Buffer[] = [];
  if (hello.serverName !== undefined) {
    extensions.push(extension(0, vector16(Buffer.from([0]), vector16(Buffer.from(hello.serverName)))));
  }
  if (hello.statusRequest === true) extensions.push(extension(5, Buffer.from([1, 0, 0, 0, 0])));
  if (hello.groups !== undefined) extensions.push(extension(10, vector16(...hello.groups.map(u16))));
  extensions.push(extension(11, Buffer.from([1, 0])), extension(23));
  if (hello.signatureAlgorithms !== undefined) {
    extensions.push(extension(13, vector16(...hello.signatureAlgorithms.map(u16))));
  }
  if (hello.alpn !== undefined)
    extensions.push(extension(16, vector16(...hello.alpn.map((p) => vector8(Buffer.from(p))))));
  if (hello.versions !== undefined) {
    extensions.push(extension(43, vector8(Buffer.concat(hello.versions.map(u16)))));
    extensions.push(extension(51, vector16(u16(29), vector16(randomBytes(32)))));
  }
  for (const [type, body] of hello.more ?? []) extensions.push(extension(type, body));
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    randomBytes(32),
    vector8(randomBytes(32)),
    vector16(...hello.suites.map(u16)),
    Buffer.from([1, 0]),
    vector16(...extensions),
  ]);
  return Buffer.concat([Buffer.from([1, 0]), u16(body.length), body]);
}

/** A handshake message in records of at most `recordOctets`. */
export function helloRecords(message: Uint8Array, recordOctets = 16_384): Buffer {
  const records: Uint8Array[] = [];
  for (let at = 0; at < message.length; at += recordOctets) {
    const piece = message.subarray(at, at + recordOctets);
    records.push(Buffer.from([22, 3, 1]), u16(piece.length), piece);
  }
  return Buffer.concat(records);
}

/**
 * Sends octets, `pieceOctets` a write (0: all at once), and gathers the answer up to ServerHelloDone, an encrypted record or the
 * end of the connection.
 */
export function exchange(port: number, octets: Uint8Array, pieceOctets = 0): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const reader = new AnswerReader();
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    const done = (end: RawAnswer['end']): void => {
      socket.destroy();
      resolve(reader.answer(end));
    };
    socket.on('connect', () => {
      if (pieceOctets === 0) socket.write(octets);
      else void sendPieces(socket, octets, pieceOctets);
    });
    socket.on('data', (chunk) => {
      if (reader.take(chunk)) done('flight');
    });
    socket.on('error', () => done('reset'));
    socket.on('close', () => done('closed'));
  });
}

/** Says hello and tells what came back. */
export function sayHello(port: number, hello: RawHello): Promise<RawAnswer> {
  return exchange(port, helloRecords(helloMessage(hello)));
}

async function sendPieces(socket: net.Socket, octets: Uint8Array, pieceOctets: number): Promise<void> {
  for (let at = 0; at < octets.length && !socket.destroyed; at += pieceOctets) {
    await new Promise<void>((done) => socket.write(octets.subarray(at, at + pieceOctets), () => setImmediate(done)));
  }
}

class AnswerReader {
  #octets: Buffer = Buffer.alloc(0);
  #messages: Buffer = Buffer.alloc(0);
  #at = 0;
  #alert = -1;
  #version = 0;
  #suite = 0;
  #group = 0;
  #subject = '';
  #alpn = '';
  #stapled = false;

  /** True when nothing more is awaited. */
  take(chunk: Buffer): boolean {
    this.#octets = Buffer.concat([this.#octets, chunk]);
    for (;;) {
      const record = this.#octets.subarray(this.#at);
      if (record.length < 5) return false;
      const length = record.readUInt16BE(3);
      if (record.length < 5 + length) return false;
      this.#at += 5 + length;
      const payload = record.subarray(5, 5 + length);
      if (record[0] === 21) this.#alert = payload[1] ?? -1;
      else if (record[0] !== 22)
        return true; // the rest is encrypted
      else if (this.#handshake(payload)) return true;
    }
  }

  answer(end: RawAnswer['end']): RawAnswer {
    return {
      alert: this.#alert,
      version: this.#version,
      suite: this.#suite,
      group: this.#group,
      subject: this.#subject,
      alpn: this.#alpn,
      stapled: this.#stapled,
      octets: this.#octets,
      end,
    };
  }

  #handshake(payload: Uint8Array): boolean {
    this.#messages = Buffer.concat([this.#messages, payload]);
    while (this.#messages.length >= 4) {
      const length = this.#messages.readUIntBE(1, 3);
      if (this.#messages.length < 4 + length) return false;
      const type = this.#messages[0]!;
      const body = this.#messages.subarray(4, 4 + length);
      this.#messages = this.#messages.subarray(4 + length);
      if (type === 2) this.#serverHello(body);
      else if (type === 11) this.#subject = subjectOf(body);
      else if (type === 22) this.#stapled = true;
      else if (type === 14) return true;
    }
    return false;
  }

  #serverHello(body: Buffer): void {
    this.#version = body.readUInt16BE(0);
    let at = 35 + body[34]!;
    this.#suite = body.readUInt16BE(at);
    at += 5;
    while (at + 4 <= body.length) {
      const type = body.readUInt16BE(at);
      const length = body.readUInt16BE(at + 2);
      const value = body.subarray(at + 4, at + 4 + length);
      if (type === 16) this.#alpn = value.subarray(3).toString('latin1');
      if (type === 51) this.#group = value.readUInt16BE(0);
      if (type === 43) this.#version = value.readUInt16BE(0);
      at += 4 + length;
    }
  }
}

function subjectOf(certificateMessage: Buffer): string {
  const length = certificateMessage.readUIntBE(3, 3);
  const leaf = new X509Certificate(certificateMessage.subarray(6, 6 + length));
  return /CN=(.*)/.exec(leaf.subject)?.[1] ?? '';
}
