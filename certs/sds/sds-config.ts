import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { CertificateError } from '../ca/issued-certificate.ts';
import { isLoopback } from '../loopback.ts';
import type { AccessRule } from './access-policy.ts';

/** Where SDS is served and for whom, as the configuration says it. */
export interface SdsListenerConfig {
  /** `host:port`, `[v6]:port` or `unix:PATH`. */
  readonly address: string;
  /** Mutual TLS; null: clear text, on a loopback address or a unix socket. */
  readonly tls: {
    /** Name of the secret that is the server's own certificate: one that the service offers. */
    readonly certificate: string;
    /** File of the authorities that client certificates must come from; null: the service's own authority. */
    readonly clientAuthorities: string | null;
  } | null;
  readonly access: readonly AccessRule[];
  /** Permission bits of a unix socket. */
  readonly mode: number;
}

/** An SDS configuration that cannot be used; the message names each place. */
export class SdsConfigError extends CertificateError {
  override readonly name: string = 'SdsConfigError';
}

const patterns = z.array(z.string().min(1).max(256)).min(1).max(256);
const listener = z.strictObject({
  address: z.string().min(1),
  tls: z.strictObject({ certificate: z.string().min(1), client_ca: z.string().min(1).optional() }).optional(),
  access: z.array(z.strictObject({ identities: patterns.optional(), secrets: patterns })).optional(),
  mode: z
    .string()
    .regex(/^0?[0-7]{3}$/, 'must be three octal digits, such as "0660"')
    .optional(),
});
const schema = z.strictObject({ listeners: z.array(listener).min(1).max(64) });

const identityPattern = /^(uri|dns):./;
const writableByAll = 0o007;

/** Reads an SDS configuration from a file. Throws {@link SdsConfigError}. */
export function readSdsConfigFile(path: string): SdsListenerConfig[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new SdsConfigError(`${path} cannot be read: ${(error as Error).message}`);
  }
  return readSdsConfig(text);
}

/** Reads an SDS configuration in YAML or JSON. Throws {@link SdsConfigError}. */
export function readSdsConfig(text: string): SdsListenerConfig[] {
  let data: unknown;
  try {
    data = parse(text, { maxAliasCount: 100 });
  } catch (error) {
    throw new SdsConfigError(`the SDS configuration is not YAML: ${(error as Error).message.split('\n')[0]}`);
  }
  const read = schema.safeParse(data);
  if (!read.success) {
    throw new SdsConfigError(read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '));
  }
  const problems: string[] = [];
  const listeners = read.data.listeners.map(({ address, tls, access, mode }, i): SdsListenerConfig => {
    const made: SdsListenerConfig = {
      address,
      tls: tls === undefined ? null : { certificate: tls.certificate, clientAuthorities: tls.client_ca ?? null },
      access: access ?? [],
      mode: mode === undefined ? 0o600 : Number.parseInt(mode, 8),
    };
    problems.push(...check(made).map((problem) => `listeners.${i}.${problem}`));
    return made;
  });
  if (problems.length > 0) throw new SdsConfigError(problems.join('; '));
  return listeners;
}

/** Private keys are served here: what would hand them to anybody is refused. */
function check({ address, tls, access, mode }: SdsListenerConfig): string[] {
  const problems: string[] = [];
  const isSocket = address.startsWith('unix:');
  if (!isSocket && !/^(\[[0-9a-fA-F:.]+\]|[^:[\]]+):\d{1,5}$/.test(address)) {
    problems.push(`address: '${address}' is not host:port, [v6]:port or unix:PATH`);
  }
  if (tls === null && !isLoopback(address)) {
    problems.push('tls: is needed: without it only a loopback address or a unix socket can be served');
  }
  if (tls !== null && isSocket) problems.push('tls: a unix socket is guarded by its mode, and takes none');
  if (tls !== null && access.length === 0) problems.push('access: is needed with tls: who may fetch what');
  if (isSocket && (mode & writableByAll) !== 0) problems.push('mode: would let everybody connect');
  access.forEach(({ identities }, i) => {
    if (tls === null && identities !== undefined) {
      problems.push(`access.${i}.identities: clients have no certificates here`);
    }
    if (tls !== null && identities === undefined) problems.push(`access.${i}.identities: is needed with tls`);
    for (const one of identities ?? []) {
      if (!identityPattern.test(one)) problems.push(`access.${i}.identities: '${one}' must begin with uri: or dns:`);
    }
  });
  return problems;
}
