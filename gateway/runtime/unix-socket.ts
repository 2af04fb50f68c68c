import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import type { Address } from '#gateway/base/address.ts';

// Envoy writes abstract names with `@`, the system with a zero octet.
function isAbstract(address: Address): boolean {
  return address.host.startsWith('@');
}

/**
 * The path to listen on for a unix socket address. As in Envoy, a socket file that an earlier process left behind gives way;
 * anything else there stays, and binding fails.
 */
export function pathToListenOn(address: Address): string {
  if (isAbstract(address)) return `\0${address.host.slice(1)}`;
  try {
    if (lstatSync(address.host).isSocket()) unlinkSync(address.host);
  } catch {
    // not there
  }
  return address.host;
}

/** Gives a bound unix socket its permission bits; 0 leaves what the system made. Throws the system's error. */
export function setSocketMode(address: Address, mode: number): void {
  if (mode !== 0 && !isAbstract(address)) chmodSync(address.host, mode);
}
