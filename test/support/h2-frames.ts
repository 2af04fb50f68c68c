import { HpackDecoder } from '#gateway/protocol/hpack/decoder.ts';

/** One frame as it lies on the wire, taken apart. */
export interface WireFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

export const prefaceBytes: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** Builds a frame of any kind, legal or not. */
export function frame(type: number, flags: number, streamId: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

/** A header block of literals without indexing and without Huffman code, from `[name, value, ...]`. */
export function block(...fields: string[]): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    parts.push(Buffer.from([0]), text(fields[i]!), text(fields[i + 1]!));
  }
  return Buffer.concat(parts);
}

function text(value: string): Buffer {
  const octets = Buffer.from(value, 'latin1');
  if (octets.length < 127) return Buffer.concat([Buffer.from([octets.length]), octets]);
  const length = [0x7f];
  let rest = octets.length - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) length.push(0x80 | (rest % 128));
  length.push(rest);
  return Buffer.concat([Buffer.from(length), octets]);
}

/** HEADERS with a complete block. */
export function headers(streamId: number, endStream: boolean, ...fields: string[]): Buffer {
  return frame(1, endStream ? 5 : 4, streamId, block(...fields));
}

/** The pseudo-headers of a plain GET. */
export const getFields: readonly string[] = [':method', 'GET', ':path', '/', ':scheme', 'http', ':authority', 'a.test'];

/** The pseudo-headers of a POST. */
export const postFields: readonly string[] = [
  ':method',
  'POST',
  ':path',
  '/',
  ':scheme',
  'http',
  ':authority',
  'a.test',
];

export function data(streamId: number, endStream: boolean, payload: string | Uint8Array): Buffer {
  return frame(0, endStream ? 1 : 0, streamId, Buffer.from(payload as string));
}

/** SETTINGS from `[identifier, value, ...]`. */
export function settings(...values: number[]): Buffer {
  const payload = Buffer.alloc(values.length * 3);
  for (let i = 0; i < values.length; i += 2) {
    payload.writeUInt16BE(values[i]!, i * 3);
    payload.writeUInt32BE(values[i + 1]!, i * 3 + 2);
  }
  return frame(4, 0, 0, payload);
}

export function rstStream(streamId: number, code: number): Buffer {
  return frame(3, 0, streamId, uint32(code));
}

export function windowUpdate(streamId: number, increment: number): Buffer {
  return frame(8, 0, streamId, uint32(increment));
}

export function goAway(lastStreamId: number, code: number): Buffer {
  return frame(7, 0, 0, Buffer.concat([uint32(lastStreamId), uint32(code)]));
}

function uint32(value: number): Buffer {
  const octets = Buffer.alloc(4);
  octets.writeUInt32BE(value);
  return octets;
}

/** Takes complete frames apart. */
export function parseFrames(bytes: Uint8Array): WireFrame[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const frames: WireFrame[] = [];
  let at = 0;
  while (at + 9 <= buffer.length) {
    const length = buffer.readUIntBE(at, 3);
    frames.push({
      type: buffer[at + 3]!,
      flags: buffer[at + 4]!,
      streamId: buffer.readUInt32BE(at + 5),
      payload: buffer.subarray(at + 9, at + 9 + length),
    });
    at += 9 + length;
  }
  if (at !== buffer.length) throw new Error(`${buffer.length - at} octets after the last complete frame`);
  return frames;
}

const typeNames = [
  'DATA',
  'HEADERS',
  'PRIORITY',
  'RST_STREAM',
  'SETTINGS',
  'PUSH_PROMISE',
  'PING',
  'GOAWAY',
  'WINDOW_UPDATE',
  'CONTINUATION',
];

/**
 * Renders what an endpoint wrote, one line a frame, its header blocks decoded: `HEADERS 1 END_STREAM :status: 200`. One
 * reader serves one direction of one connection.
 */
export class WireReader {
  readonly #hpack = new HpackDecoder(4096);
  #block: Buffer = Buffer.alloc(0);

  lines(bytes: Uint8Array): string[] {
    return parseFrames(bytes).map((each) => this.#line(each));
  }

  #line({ type, flags, streamId, payload }: WireFrame): string {
    const name = typeNames[type] ?? `TYPE${type}`;
    const end = (flags & 1) !== 0 ? ' END_STREAM' : '';
    switch (type) {
      case 0:
        return `${name} ${streamId}${end} ${payload.length <= 64 ? payload.toString('latin1') : payload.length}`;
      case 1:
      case 9: {
        this.#block = Buffer.concat([this.#block, payload]);
        if ((flags & 4) === 0) return `${name} ${streamId}${type === 1 ? end : ''} ...`;
        return `${name} ${streamId}${type === 1 ? end : ''} ${this.#fields()}`;
      }
      case 3:
        return `${name} ${streamId} ${payload.readUInt32BE()}`;
      case 4:
        return (flags & 1) !== 0 ? `${name} ACK` : `${name} ${payload.toString('hex')}`;
      case 6:
        return `${name}${(flags & 1) !== 0 ? ' ACK' : ''} ${payload.toString('hex')}`;
      case 7:
        return `${name} ${payload.readUInt32BE()} ${payload.readUInt32BE(4)}`;
      case 8:
        return `${name} ${streamId} ${payload.readUInt32BE()}`;
      default:
        return `${name} ${streamId}`;
    }
  }

  #fields(): string {
    const fields: string[] = [];
    this.#hpack.beginBlock();
    const sink = { onField: (name: string, value: string) => void fields.push(`${name}: ${value}`) };
    const status = this.#hpack.decode(this.#block, 0, this.#block.length, sink);
    this.#block = Buffer.alloc(0);
    if (status !== 0) throw new Error(`header block cannot be decoded: ${status}`);
    return fields.join(', ');
  }
}
