import { createHash } from 'node:crypto';
import type { ServerContext } from '#gateway/api/context.ts';
import type { GenericSecretValue } from '#gateway/api/secrets.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { DataSource } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import { readSessionTicketKeys } from '../session-ticket-keys.ts';
import type { SecretReader } from './secret-reader.ts';

function filesOf(sources: readonly (DataSource | undefined)[]): { files: string[]; folders: string[] } {
  const files = sources.flatMap((one) => (one?.specifier.case === 'filename' ? [one.specifier.value] : []));
  return { files, folders: [] };
}

/** Reads secrets that are tokens, keys of HMAC, passwords: one, or several with names. */
export const genericReader: SecretReader<GenericSecretValue> = {
  read(secret, server, diagnostics) {
    if (secret.type.case !== 'genericSecret') {
      diagnostics.error('', `secret '${secret.name}' is not a generic_secret`);
      return null;
    }
    const at = diagnostics.at('generic_secret');
    const { secret: one, secrets } = secret.type.value;
    if (one === undefined && Object.keys(secrets).length === 0) {
      at.error('', 'holds no secret');
      return null;
    }
    const value = one === undefined ? new Uint8Array(0) : readSource(one, server, at.at('secret'));
    const named = new Map<string, Uint8Array>();
    for (const [name, source] of Object.entries(secrets)) {
      const found = readSource(source, server, at.at(`secrets["${name}"]`));
      if (found !== null) named.set(name, found);
    }
    return value === null || diagnostics.failed ? null : { value, named, digest: digestOf(value, named) };
  },
  watched(secret) {
    if (secret.type.case !== 'genericSecret') return { files: [], folders: [] };
    const { secret: one, secrets } = secret.type.value;
    return filesOf([one, ...Object.values(secrets)]);
  },
};

/** Reads secrets that hold keys of session tickets. */
export const ticketKeysReader: SecretReader<{ readonly octets: Uint8Array }> = {
  read(secret, server, diagnostics) {
    if (secret.type.case !== 'sessionTicketKeys') {
      diagnostics.error('', `secret '${secret.name}' is not session_ticket_keys`);
      return null;
    }
    const octets = readSessionTicketKeys(secret.type.value, server, diagnostics.at('session_ticket_keys'));
    return octets === null ? null : { octets };
  },
  watched(secret) {
    return filesOf(secret.type.case === 'sessionTicketKeys' ? secret.type.value.keys : []);
  },
};

function readSource(
  source: DataSource,
  server: Pick<ServerContext, 'readDataSource'>,
  diagnostics: Diagnostics,
): Uint8Array | null {
  const octets = server.readDataSource(source, diagnostics);
  if (octets !== null && octets.length === 0) {
    diagnostics.error('', 'is empty');
    return null;
  }
  return octets;
}

function digestOf(value: Uint8Array, named: ReadonlyMap<string, Uint8Array>): string {
  const hash = createHash('sha256').update(value);
  for (const [name, octets] of named) hash.update(`\n${name.length}:${name}${octets.length}:`).update(octets);
  return hash.digest('base64');
}
