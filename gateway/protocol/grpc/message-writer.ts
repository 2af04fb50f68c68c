import { messageHeadOctets } from './message-reader.ts';

/** Puts the length prefix before a message that is not compressed. Returns a fresh array. */
export function frameGrpcMessage(message: Uint8Array): Uint8Array {
  const framed = new Uint8Array(messageHeadOctets + message.length);
  writeGrpcMessageHead(framed, 0, message.length, false);
  framed.set(message, messageHeadOctets);
  return framed;
}

/** Writes the length prefix of a message at `buf[at]`. */
export function writeGrpcMessageHead(buf: Uint8Array, at: number, length: number, compressed: boolean): void {
  buf[at] = compressed ? 1 : 0;
  buf[at + 1] = length >>> 24;
  buf[at + 2] = length >>> 16;
  buf[at + 3] = length >>> 8;
  buf[at + 4] = length;
}
