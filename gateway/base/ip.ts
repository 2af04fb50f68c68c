/** An IP address as a number: 32 bits for IPv4, 128 for IPv6. */
export interface ParsedIp {
  readonly family: 4 | 6;
  readonly bits: bigint;
}

/** Parses a literal IP address (no brackets, no zone); null when it is none. */
export function parseIp(text: string): ParsedIp | null {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): ParsedIp | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  let bits = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part)) return null;
    const octet = Number(part);
    if (octet > 255) return null;
    bits = bits * 256 + octet;
  }
  return { family: 4, bits: BigInt(bits) };
}

function parseIpv6(text: string): ParsedIp | null {
  let body = text;
  const lastColon = body.lastIndexOf(':');
  if (body.includes('.')) {
    // RFC 4291 section 2.2: the last 32 bits as an IPv4 address.
    const tail = parseIpv4(body.slice(lastColon + 1));
    if (tail === null) return null;
    const high = (tail.bits >> 16n).toString(16);
    body = `${body.slice(0, lastColon + 1)}${high}:${(tail.bits & 0xffffn).toString(16)}`;
  }
  const halves = body.split('::');
  if (halves.length > 2) return null;
  const head = halves[0] === '' ? [] : halves[0]!.split(':');
  const rear = halves.length === 1 || halves[1] === '' ? [] : halves[1]!.split(':');
  const missing = 8 - head.length - rear.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  let bits = 0n;
  for (const group of [...head, ...new Array<string>(halves.length === 1 ? 0 : missing).fill('0'), ...rear]) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return null;
    bits = (bits << 16n) | BigInt(Number.parseInt(group, 16));
  }
  return { family: 6, bits };
}

/** An address in its usual text form. RFC 5952 for IPv6, and as `inet_ntop` the last 32 bits of `::` and `::ffff:` as IPv4. */
export function formatIp({ family, bits }: ParsedIp): string {
  if (family === 4) return formatIpv4(bits);
  const high = bits >> 32n;
  if (high === 0xffffn) return `::ffff:${formatIpv4(bits)}`;
  if (high === 0n && bits > 0xffffn) return `::${formatIpv4(bits)}`;
  const groups: string[] = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) groups.push(((bits >> shift) & 0xffffn).toString(16));
  // The longest run of at least two zero groups becomes `::`, the first of equals.
  let bestAt = -1;
  let bestLength = 1;
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (at + length < 8 && groups[at + length] === '0') length++;
    if (length > bestLength) {
      bestAt = at;
      bestLength = length;
    }
  }
  if (bestAt === -1) return groups.join(':');
  return `${groups.slice(0, bestAt).join(':')}::${groups.slice(bestAt + bestLength).join(':')}`;
}

function formatIpv4(bits: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 255n).join('.');
}

/** A range of addresses: CIDR notation, parsed. */
export class IpRange {
  readonly family: 4 | 6;
  readonly prefixLength: number;
  readonly #bits: bigint;
  readonly #shift: bigint;

  constructor(family: 4 | 6, bits: bigint, prefixLength: number) {
    this.family = family;
    this.prefixLength = prefixLength;
    this.#shift = BigInt((family === 4 ? 32 : 128) - prefixLength);
    this.#bits = bits >> this.#shift;
  }

  /** Parses address and prefix length; null when the address is none. Too long a prefix is the longest possible. */
  static parse(address: string, prefixLength: number): IpRange | null {
    const ip = parseIp(address);
    if (ip === null) return null;
    return new IpRange(ip.family, ip.bits, Math.min(prefixLength, ip.family === 4 ? 32 : 128));
  }

  contains(ip: ParsedIp): boolean {
    return ip.family === this.family && ip.bits >> this.#shift === this.#bits;
  }
}

const loopback4 = new IpRange(4, 0x7f00_0000n, 8);

/** The address with all but its first `prefixLength` bits zero. */
export function maskIp({ family, bits }: ParsedIp, prefixLength: number): ParsedIp {
  const shift = BigInt(Math.max(0, (family === 4 ? 32 : 128) - prefixLength));
  return { family, bits: (bits >> shift) << shift };
}

/** Whether an address is of this host only: 127.0.0.0/8 or ::1. */
export function isLoopback(ip: ParsedIp): boolean {
  return ip.family === 4 ? loopback4.contains(ip) : ip.bits === 1n;
}
