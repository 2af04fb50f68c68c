// Octets of ShouldRateLimit calls over HTTP/2, made once: the load generator must cost less than what it measures.

const utf8 = new TextEncoder();

/** `[tag, length, octets...]` of a length-delimited protobuf field. Everything here is shorter than 128 octets. */
function field(number: number, value: Uint8Array | string): Uint8Array {
  const octets = typeof value === 'string' ? utf8.encode(value) : value;
  return Uint8Array.of((number << 3) | 2, octets.length, ...octets);
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function descriptor(key: string, value: string): Uint8Array {
  return field(2, field(1, join(field(1, key), field(2, value))));
}

/** The framed RateLimitRequest of one client: domain `edge`, two descriptors. Client 0 is the only one of a hot key. */
export function requestMessage(client: number): Uint8Array {
  const address = `10.${(client >> 16) & 0xff}.${(client >> 8) & 0xff}.${client & 0xff}`;
  const path = client === 0 ? '/x' : `/u/${client}`;
  const request = join(field(1, 'edge'), descriptor('remote_address', address), descriptor('path', path));
  return Uint8Array.of(0, 0, 0, 0, request.length, ...request);
}

function frameHead(type: number, flags: number, octets: number): Uint8Array {
  return Uint8Array.of(octets >> 16, (octets >> 8) & 0xff, octets & 0xff, type, flags, 0, 0, 0, 0);
}

function literal(index: readonly number[], text: string): Uint8Array {
  const octets = utf8.encode(text);
  return Uint8Array.of(...index, octets.length, ...octets);
}

// RFC 7541: indexed static fields and literals that no table keeps, so the block is the same for every call.
const headerBlock: Uint8Array = join(
  Uint8Array.of(0x83, 0x86),
  literal([0x04], '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit'),
  literal([0x01], 'localhost'),
  literal([0x0f, 0x10], 'application/grpc'),
  literal([0x00, 2, 0x74, 0x65], 'trailers'),
);

/** HEADERS and DATA of one call; {@link stampStream} puts the stream's number in both. */
export function callFrames(client: number): Uint8Array {
  const message = requestMessage(client);
  return join(frameHead(1, 0x4, headerBlock.length), headerBlock, frameHead(0, 0x1, message.length), message);
}

const dataAt = 9 + headerBlock.length;

/** Octets of HEADERS and its frame head: what remains of a call's frames counts against flow control, less 9. */
export const octetsBeforeMessage: number = dataAt + 9;

/** Writes the stream's number into the frames of a call at `at`. */
export function stampStream(bytes: Uint8Array, at: number, stream: number): void {
  for (const head of [at + 5, at + dataAt + 5]) {
    bytes[head] = stream >>> 24;
    bytes[head + 1] = (stream >>> 16) & 0xff;
    bytes[head + 2] = (stream >>> 8) & 0xff;
    bytes[head + 3] = stream & 0xff;
  }
}

/** The connection preface, SETTINGS with a large stream window, and a large connection window. RFC 9113 sections 3.4, 6.5, 6.9 */
export const connectionPreface: Uint8Array = join(
  utf8.encode('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frameHead(4, 0, 6),
  Uint8Array.of(0, 4, 0x3f, 0xff, 0xff, 0xff),
  windowUpdate(0x3fff_0000),
);

/** WINDOW_UPDATE of the connection. */
export function windowUpdate(octets: number): Uint8Array {
  return join(
    frameHead(8, 0, 4),
    Uint8Array.of((octets >>> 24) & 0x7f, (octets >>> 16) & 0xff, (octets >>> 8) & 0xff, octets & 0xff),
  );
}

/** SETTINGS with ACK. */
export const settingsAck: Uint8Array = frameHead(4, 1, 0);

/** PING with ACK and the octets at `at`. */
export function pingAck(bytes: Uint8Array, at: number): Uint8Array {
  return join(frameHead(6, 1, 8), bytes.slice(at, at + 8));
}

/** Whether the framed RateLimitResponse at `bytes[at, end)` says OK, and has two statuses that say so. */
export function repliesOk(bytes: Uint8Array, at: number, end: number): boolean {
  let next = at + 5;
  if (bytes[next] !== 0x08 || bytes[next + 1] !== 1) return false;
  next += 2;
  for (let status = 0; status < 2; status++) {
    if (next + 4 > end || bytes[next] !== 0x12 || bytes[next + 2] !== 0x08 || bytes[next + 3] !== 1) return false;
    next += 2 + bytes[next + 1]!;
  }
  return next <= end;
}
