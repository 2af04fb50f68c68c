import type { ClientHello } from './client-hello.ts';
import { parseClientHello } from './parse-client-hello.ts';

/** Octets that a ClientHello may take, record headers included: the bound of tls_inspector, and of OpenSSL's peers. */
export const maxClientHelloOctets = 16_384;

/**
 * How far reading got. `not_tls`: the first octets are something else. `invalid`: it began like TLS and is not a
 * ClientHello that makes sense. `too_large`: more than the bound.
 */
export type ClientHelloStatus = 'need_more' | 'complete' | 'not_tls' | 'invalid' | 'too_large';

const recordHeaderOctets = 5;
const handshakeHeaderOctets = 4;
const contentHandshake = 22;
const messageClientHello = 1;
const maxRecordOctets = 16_384; // RFC 8446 section 5.1

/**
 * Finds and parses the ClientHello at the start of a connection, however it is cut into records and reads.
 * Sans-I/O; octets are looked at, never consumed.
 */
export class ClientHelloReader {
  readonly #maxOctets: number;
  /** Set once `read` has answered `complete`. */
  hello: ClientHello | null = null;
  #status: ClientHelloStatus = 'need_more';
  #at = 0; // start of the next record not yet taken
  #message: Uint8Array | null = null; // joined payloads, when one record is not enough
  #messageOctets = 0;

  constructor(maxOctets: number = maxClientHelloOctets) {
    this.#maxOctets = maxOctets;
  }

  /** `peeked` is everything received so far, from the first octet; it grows from call to call. */
  read(peeked: Uint8Array): ClientHelloStatus {
    while (this.#status === 'need_more') {
      const left = peeked.length - this.#at;
      if (!this.#looksLikeTls(peeked)) return this.#status;
      if (left < recordHeaderOctets) return this.#wait(peeked.length);
      const length = (peeked[this.#at + 3]! << 8) | peeked[this.#at + 4]!;
      if (length === 0 || length > maxRecordOctets) return this.#end('invalid');
      if (this.#at + recordHeaderOctets + length > this.#maxOctets) return this.#end('too_large');
      const start = this.#at + recordHeaderOctets;
      // The message type is known from the first octet: a stranger need not send a whole record to be found out.
      if (this.#at === 0 && left > recordHeaderOctets && peeked[start] !== messageClientHello)
        return this.#end('invalid');
      if (left < recordHeaderOctets + length) return this.#wait(peeked.length);
      this.#at = start + length;
      this.#take(peeked, start, length);
    }
    return this.#status;
  }

  #looksLikeTls(peeked: Uint8Array): boolean {
    const at = this.#at;
    const first = at === 0;
    if (peeked.length > at && peeked[at] !== contentHandshake) {
      this.#end(first ? 'not_tls' : 'invalid');
    } else if (peeked.length > at + 1 && peeked[at + 1] !== 3) {
      this.#end(first ? 'not_tls' : 'invalid');
    }
    return this.#status === 'need_more';
  }

  #take(peeked: Uint8Array, start: number, length: number): void {
    if (this.#message === null && this.#messageOctets === 0) {
      const needed = messageLength(peeked, start, length);
      if (needed !== -1 && needed <= length) {
        this.#parse(peeked, start, needed);
        return;
      }
    }
    this.#message ??= new Uint8Array(this.#maxOctets);
    this.#message.set(peeked.subarray(start, start + length), this.#messageOctets);
    this.#messageOctets += length;
    const needed = messageLength(this.#message, 0, this.#messageOctets);
    if (needed > this.#maxOctets) this.#end('too_large');
    else if (needed !== -1 && needed <= this.#messageOctets) this.#parse(this.#message, 0, needed);
  }

  #parse(bytes: Uint8Array, start: number, octets: number): void {
    if (bytes[start] !== messageClientHello) {
      this.#end('invalid');
      return;
    }
    this.hello = parseClientHello(bytes, start + handshakeHeaderOctets, start + octets);
    this.#end(this.hello === null ? 'invalid' : 'complete');
  }

  #wait(peekedOctets: number): ClientHelloStatus {
    return peekedOctets >= this.#maxOctets ? this.#end('too_large') : 'need_more';
  }

  #end(status: ClientHelloStatus): ClientHelloStatus {
    this.#status = status;
    this.#message = null;
    return status;
  }
}

/** Octets of the whole message with its header; -1 while its header is not there. */
function messageLength(bytes: Uint8Array, start: number, available: number): number {
  if (available < handshakeHeaderOctets) return -1;
  return handshakeHeaderOctets + ((bytes[start + 1]! << 16) | (bytes[start + 2]! << 8) | bytes[start + 3]!);
}
