/**
 * How far reading a PROXY protocol header got. `absent`: the first octets are something else. `invalid`: it began like one
 * and is not.
 */
export type ProxyHeaderStatus = 'need_more' | 'complete' | 'absent' | 'invalid';

/** The longest header: a version 2 one whose 16-bit length is used in full. */
export const maxProxyHeaderOctets: number = 16 + 0xffff;

const signatureV1 = [0x50, 0x52, 0x4f, 0x58, 0x59, 0x20]; // "PROXY "
const signatureV2 = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
const maxV1Octets = 107; // with CRLF
const fixedV2Octets = 16;
const commandLocal = 0;
const commandProxy = 1;

/**
 * Reads the header of HAProxy's PROXY protocol, versions 1 and 2, at the start of a connection. Sans-I/O: octets are looked at,
 * never consumed. The fields are meaningful after `complete`.
 */
export class ProxyHeaderReader {
  version: 0 | 1 | 2 = 0;
  /** Octets of the whole header. */
  octets = 0;
  /** False for LOCAL and UNKNOWN, and for families that are no IP: the connection speaks for itself. */
  hasAddresses = false;
  sourceHost = '';
  sourcePort = 0;
  destinationHost = '';
  destinationPort = 0;

  /** `peeked` is everything received so far, from the first octet. */
  read(peeked: Uint8Array): ProxyHeaderStatus {
    if (startsLike(peeked, signatureV2)) {
      this.version = 2;
      return peeked.length < fixedV2Octets ? 'need_more' : this.#readV2(peeked);
    }
    if (!startsLike(peeked, signatureV1)) return 'absent';
    this.version = 1;
    return this.#readV1(peeked);
  }

  #readV1(peeked: Uint8Array): ProxyHeaderStatus {
    const end = peeked.indexOf(0x0a);
    if (end === -1) return peeked.length >= maxV1Octets ? 'invalid' : 'need_more';
    if (end >= maxV1Octets || end < 1 || peeked[end - 1] !== 0x0d) return 'invalid';
    let line = '';
    for (let i = signatureV1.length; i < end - 1; i++) line += String.fromCharCode(peeked[i]!);
    this.octets = end + 1;
    const [family, source, destination, sourcePort, destinationPort, ...rest] = line.split(' ');
    if (family === 'UNKNOWN') return 'complete';
    if ((family !== 'TCP4' && family !== 'TCP6') || rest.length > 0) return 'invalid';
    const from = readPort(sourcePort);
    const to = readPort(destinationPort);
    const alike = (host: string | undefined): boolean =>
      host !== undefined && host !== '' && host.includes(':') === (family === 'TCP6');
    if (from === -1 || to === -1 || !alike(source) || !alike(destination)) return 'invalid';
    this.#found(source!, from, destination!, to);
    return 'complete';
  }

  #readV2(peeked: Uint8Array): ProxyHeaderStatus {
    const command = peeked[12]! & 0x0f;
    if (peeked[12]! >> 4 !== 2 || command > commandProxy) return 'invalid';
    const length = (peeked[14]! << 8) | peeked[15]!;
    this.octets = fixedV2Octets + length;
    if (peeked.length < this.octets) return 'need_more';
    if (command === commandLocal) return 'complete';
    const family = peeked[13]! >> 4;
    const addressOctets = family === 1 ? 4 : family === 2 ? 16 : 0;
    if (addressOctets === 0) return 'complete'; // unspecified, or a unix socket
    if ((peeked[13]! & 0x0f) !== 1) return 'invalid'; // only streams come here
    if (length < 2 * addressOctets + 4) return 'invalid';
    const at = fixedV2Octets;
    const ports = at + 2 * addressOctets;
    this.#found(
      hostText(peeked, at, addressOctets),
      (peeked[ports]! << 8) | peeked[ports + 1]!,
      hostText(peeked, at + addressOctets, addressOctets),
      (peeked[ports + 2]! << 8) | peeked[ports + 3]!,
    );
    return 'complete';
  }

  #found(sourceHost: string, sourcePort: number, destinationHost: string, destinationPort: number): void {
    this.hasAddresses = true;
    this.sourceHost = sourceHost;
    this.sourcePort = sourcePort;
    this.destinationHost = destinationHost;
    this.destinationPort = destinationPort;
  }
}

function startsLike(peeked: Uint8Array, signature: readonly number[]): boolean {
  const octets = Math.min(peeked.length, signature.length);
  for (let i = 0; i < octets; i++) if (peeked[i] !== signature[i]) return false;
  return true;
}

function readPort(text: string | undefined): number {
  if (text === undefined || !/^(0|[1-9]\d{0,4})$/.test(text)) return -1;
  const port = Number(text);
  return port > 65_535 ? -1 : port;
}

function hostText(bytes: Uint8Array, at: number, octets: number): string {
  if (octets === 4) return bytes.subarray(at, at + 4).join('.');
  const groups: string[] = [];
  for (let i = at; i < at + 16; i += 2) groups.push(((bytes[i]! << 8) | bytes[i + 1]!).toString(16));
  return groups.join(':');
}
