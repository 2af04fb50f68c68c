import { isIP } from 'node:net';
import { type Address, ipAddress } from '#gateway/base/address.ts';
import { formatIp, parseIp } from '#gateway/base/ip.ts';

/** The address that X-Forwarded-For names, and whether it names that one only. */
export interface ForwardedAddress {
  readonly address: Address | null;
  readonly single: boolean;
}

const nothing: ForwardedAddress = { address: null, single: false };

/**
 * The address that stands `skip` places before the end of X-Forwarded-For. Null when there is no such place or it holds no
 * plain IP address.
 */
export function addressFromForwardedFor(header: string | null, skip: number): ForwardedAddress {
  if (header === null || header === '') return nothing;
  let end = header.length;
  for (let i = 0; i < skip; i++) {
    const comma = header.lastIndexOf(',', end - 1);
    if (comma === -1) return nothing;
    end = comma;
  }
  const comma = header.lastIndexOf(',', end - 1);
  const text = header.slice(comma + 1, end).trim();
  const address = parseAddress(text);
  return address === null ? nothing : { address, single: comma === -1 && skip === 0 };
}

/** A literal IP address, in its usual form however it is written, with port 0; null when it is none. */
export function parseAddress(text: string): Address | null {
  const version = isIP(text);
  if (version === 0) return null;
  const ip = version === 4 ? null : parseIp(text);
  return ipAddress(ip === null ? text : formatIp(ip), 0);
}

/** Whether an address is loopback. */
export function isLoopback(address: Address): boolean {
  if (address.kind !== 'ip') return false;
  return address.host.startsWith('127.') || address.host === '::1';
}
