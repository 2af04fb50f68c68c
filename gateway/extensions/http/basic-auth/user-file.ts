import { Buffer } from 'node:buffer';
import type { ExtensionContext } from '#gateway/api/context.ts';
import type { DataSource } from '#proto-types/envoy/config/core/v3/base_pb.ts';

const shaPrefix = '{SHA}';
const shaLength = 28;

/** Base64 SHA-1 of the password by user name: an htpasswd file. */
export type UserList = ReadonlyMap<string, string>;

/** Reads an htpasswd file with `{SHA}` passwords, the only form Envoy takes; problems go to `users`. */
export function readUserList(source: DataSource | undefined, { server, diagnostics }: ExtensionContext): UserList {
  const users = new Map<string, string>();
  const at = diagnostics.at('users');
  const octets = source === undefined ? null : server.readDataSource(source, at);
  if (octets === null) return users;
  for (const line of Buffer.from(octets).toString('utf8').split('\n')) {
    const text = line.trim();
    if (text === '' || text.startsWith('#')) continue;
    const colon = text.indexOf(':');
    const name = text.slice(0, colon);
    const hash = text.slice(colon + 1);
    if (colon < 1 || hash === '') at.error('', 'invalid htpasswd format, username:password is expected');
    else if (users.has(name)) at.error('', `duplicate user ${name}`);
    else if (!hash.startsWith(shaPrefix)) at.error('', 'unsupported htpasswd format: please use {SHA}');
    else if (hash.length !== shaPrefix.length + shaLength)
      at.error('', 'invalid htpasswd format, invalid SHA hash length');
    else users.set(name, hash.slice(shaPrefix.length));
  }
  return users;
}
