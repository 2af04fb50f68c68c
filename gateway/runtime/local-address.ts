import { networkInterfaces } from 'node:os';

/** The first IPv4 address of this machine that is not loopback, or 127.0.0.1: what Envoy calls the local address. */
export function localIpv4Address(): string {
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { family, internal, address } of addresses ?? []) {
      if (!internal && family === 'IPv4') return address;
    }
  }
  return '127.0.0.1';
}
