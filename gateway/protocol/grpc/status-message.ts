import { percentEncodeOctet } from '../headers/percent-encoding.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Encodes a message for `grpc-message`: UTF-8, with `%` and everything outside visible ASCII and space as `%XX`. gRPC over
 * HTTP/2, "Status-Message".
 */
export function encodeGrpcMessage(message: string): string {
  let plain = true;
  for (let i = 0; i < message.length && plain; i++) plain = isPlain(message.charCodeAt(i));
  if (plain) return message;
  return encodeGrpcMessageOctets(encoder.encode(message));
}

/** The same of octets, whatever their encoding. */
export function encodeGrpcMessageOctets(octets: Uint8Array): string {
  let encoded = '';
  for (const octet of octets) encoded += isPlain(octet) ? String.fromCharCode(octet) : percentEncodeOctet(octet);
  return encoded;
}

/** Decodes a `grpc-message`. What is not well encoded stays as it is: the text must never be lost. */
export function decodeGrpcMessage(value: string): string {
  if (!value.includes('%')) return value;
  const octets: number[] = [];
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    const pair = code === 0x25 ? value.slice(i + 1, i + 3) : '';
    if (/^[0-9A-Fa-f]{2}$/.test(pair)) {
      octets.push(Number.parseInt(pair, 16));
      i += 2;
    } else {
      octets.push(code & 0xff);
    }
  }
  try {
    return decoder.decode(Uint8Array.from(octets));
  } catch {
    return value;
  }
}

function isPlain(octet: number): boolean {
  return octet >= 0x20 && octet <= 0x7e && octet !== 0x25;
}
