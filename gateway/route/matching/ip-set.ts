import type { Address } from '#gateway/base/address.ts';
import { IpRange, type ParsedIp, parseIp } from '#gateway/base/ip.ts';
import { ConfigError } from '#gateway/config/diagnostics.ts';

/** The two CidrRange messages, Envoy's and xDS's, are alike. */
export interface CidrRangeShape {
  readonly addressPrefix: string;
  readonly prefixLen?: number | undefined;
}

const parsed = new WeakMap<Address, ParsedIp>();

/** An address as a number, parsed once for each Address object; null for a pipe. */
function parsedAddress(address: Address): ParsedIp | null {
  let ip = parsed.get(address) ?? null;
  if (ip === null && address.kind === 'ip') {
    ip = parseIp(address.host);
    if (ip !== null) parsed.set(address, ip);
  }
  return ip;
}

/** A set of addresses: a compiled list of CidrRange. */
export class IpSet {
  readonly #ranges: readonly IpRange[];

  /** Throws ConfigError with a path that begins with `path`; a `single` range has no index. */
  constructor(ranges: readonly CidrRangeShape[], path: string, single = false) {
    this.#ranges = ranges.map(({ addressPrefix, prefixLen }, i) => {
      const range = IpRange.parse(addressPrefix, prefixLen ?? 0);
      if (range !== null) return range;
      throw new ConfigError(single ? path : `${path}[${i}]`, `invalid CIDR range ${addressPrefix}/${prefixLen ?? 0}`);
    });
  }

  /** Whether `address` is an IP address of the set. */
  contains(address: Address): boolean {
    const ip = parsedAddress(address);
    return ip !== null && this.#has(ip);
  }

  /** The same for an address as text. */
  containsText(text: string): boolean {
    const ip = parseIp(text);
    return ip !== null && this.#has(ip);
  }

  #has(ip: ParsedIp): boolean {
    for (let i = 0; i < this.#ranges.length; i++) if (this.#ranges[i]!.contains(ip)) return true;
    return false;
  }
}
