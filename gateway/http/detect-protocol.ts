import type { ConnectionInfo } from '#gateway/api/connection.ts';

/** How every HTTP/2 connection begins. RFC 9113 section 3.4; enough of it to be no HTTP/1 request. */
const preface: readonly number[] = [...'PRI * HTTP/2'].map((c) => c.charCodeAt(0));
const noOctets = new Uint8Array(0);

/** Decides which codec a connection gets: by configuration, by ALPN, or by its first octets. */
export class ProtocolDetector {
  readonly #codec: 'auto' | 'http1' | 'http2';
  readonly #alpn: string;
  /** All octets so far: what the codec must be given first. */
  octets: Uint8Array = noOctets;

  constructor(codec: 'auto' | 'http1' | 'http2', info: ConnectionInfo) {
    this.#codec = codec;
    this.#alpn = info.tls?.alpn ?? '';
  }

  /** Null: more octets are needed. */
  detect(chunk: Uint8Array): 'http1' | 'http2' | null {
    this.octets = this.octets.length === 0 ? chunk : joined(this.octets, chunk);
    if (this.#codec !== 'auto') return this.#codec;
    if (this.#alpn === 'h2') return 'http2';
    if (this.#alpn !== '') return 'http1';
    const { octets } = this;
    const length = Math.min(octets.length, preface.length);
    for (let i = 0; i < length; i++) if (octets[i] !== preface[i]) return 'http1';
    return length === preface.length ? 'http2' : null;
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a, 0);
  both.set(b, a.length);
  return both;
}
