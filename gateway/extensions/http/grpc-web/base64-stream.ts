import { Buffer } from 'node:buffer';

/** What a piece of base64 text is good for. */
export type Base64Outcome = 'ok' | 'bad size' | 'bad text';

const groups = /^(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)*$/;

/** Decodes base64 that comes in pieces, padding in the middle included (each piece may be a text of its own). */
export class Base64Stream {
  /** The octets of the last `add`; fresh, the caller may keep them. */
  decoded: Uint8Array = new Uint8Array(0);
  #rest = '';

  add(chunk: Uint8Array, last: boolean): Base64Outcome {
    const text = this.#rest + Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString('latin1');
    if (last && text.length % 4 !== 0) return 'bad size';
    const whole = text.length - (text.length % 4);
    this.#rest = text.slice(whole);
    const body = text.slice(0, whole);
    if (!groups.test(body)) return 'bad text';
    this.decoded = decodeGroups(body);
    return 'ok';
  }
}

function decodeGroups(text: string): Uint8Array {
  if (!text.slice(0, -4).includes('=')) return Buffer.from(text, 'base64');
  const parts: Uint8Array[] = [];
  for (let at = 0; at < text.length; ) {
    const padding = text.indexOf('=', at);
    const end = padding === -1 ? text.length : (Math.floor(padding / 4) + 1) * 4;
    parts.push(Buffer.from(text.slice(at, end), 'base64'));
    at = end;
  }
  return Buffer.concat(parts);
}
