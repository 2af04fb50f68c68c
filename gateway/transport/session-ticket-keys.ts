import type { ServerContext } from '#gateway/api/context.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { TlsSessionTicketKeys } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/common_pb.ts';

/** Octets of a key of Envoy's: its name, a key of HMAC-SHA256 and one of AES-256. */
const keyOctets = 80;
const nameOctets = 16;
const hmacOctets = 32;
/** Octets that Node takes of each of the three. */
const partOctets = 16;

/**
 * Reads session_ticket_keys: 48 octets for the TLS library, or null when there are problems. The first key seals and opens
 * tickets. Those after it would open older ones: their clients do a full handshake, which is said in a warning.
 */
export function readSessionTicketKeys(
  message: TlsSessionTicketKeys,
  server: Pick<ServerContext, 'readDataSource'>,
  diagnostics: Diagnostics,
): Uint8Array | null {
  let first: Uint8Array | null = null;
  let sound = true;
  message.keys.forEach((source, i) => {
    const at = diagnostics.at(`keys[${i}]`);
    const key = server.readDataSource(source, at);
    if (key !== null && key.length !== keyOctets) {
      at.error('', `Incorrect TLS session ticket key length. Length ${key.length}, expected length ${keyOctets}.`);
    }
    sound &&= key?.length === keyOctets;
    if (i === 0) first = key;
    if (i === 1) at.warning('', 'only the first key is used: clients with tickets of older keys do a full handshake');
  });
  return sound && first !== null ? forLibrary(first) : null;
}

// Each part cut to the length that the library uses: AES-128 where Envoy has AES-256, so tickets are not shared with Envoy.
function forLibrary(key: Uint8Array): Uint8Array {
  const out = new Uint8Array(3 * partOctets);
  [0, nameOctets, nameOctets + hmacOctets].forEach((start, i) => {
    out.set(key.subarray(start, start + partOctets), i * partOctets);
  });
  return out;
}
