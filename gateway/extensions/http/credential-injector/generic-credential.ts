import { Buffer } from 'node:buffer';
import type { ExtensionContext } from '#gateway/api/context.ts';
import type { GenericSecretValue, SecretListener, SecretSource } from '#gateway/api/secrets.ts';
import { ConfigError } from '#gateway/config/diagnostics.ts';
import { isFieldValue } from '#gateway/protocol/headers/characters.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import { latin1OfUtf8 } from '#gateway/route/substitution-format.ts';
import type { Generic } from '#proto-types/envoy/extensions/http/injected_credentials/generic/v3/generic_pb.ts';

/** The fields of a head that are not in its map, by the names that Envoy knows them by. */
const fields: Readonly<Record<string, 'authority' | 'path' | 'method' | 'scheme'>> = {
  ':authority': 'authority',
  host: 'authority',
  ':path': 'path',
  ':method': 'method',
  ':scheme': 'scheme',
};

/** What became of one request. `unsendable`: the secret has octets that no header may have. */
export type Injection = 'injected' | 'already exists' | 'missing' | 'unsendable';

/** A secret that goes into a header as it is. Envoy's envoy.http.injected_credentials.generic. */
export class GenericCredential implements SecretListener {
  /** Lower case. */
  readonly header: string;
  readonly source: SecretSource<GenericSecretValue>;
  readonly #field: 'authority' | 'path' | 'method' | 'scheme' | null;
  readonly #prefix: string;
  /** The header's value as latin-1 text; null while there is no secret. Never logged. */
  #value: string | null = null;
  #sendable = true;

  /** Follows `source` until `close`. */
  constructor(source: SecretSource<GenericSecretValue>, header: string, prefix: string) {
    this.source = source;
    this.header = header;
    this.#field = fields[header] ?? null;
    this.#prefix = prefix;
    source.subscribe(this);
    this.onSecret();
  }

  /** @see SecretListener */
  onSecret(): void {
    const octets = this.source.current?.value;
    // As Envoy: files end in a line feed, which nobody means; other white space is kept.
    const text =
      octets === undefined
        ? ''
        : Buffer.from(octets)
            .toString('latin1')
            .replace(/[\r\n]+$/, '');
    this.#value = text === '' ? null : `${this.#prefix}${text}`;
    this.#sendable = this.#value === null || isFieldValue(this.#value);
  }

  /** Puts it into a request. A header that is there already stays unless `overwrite`. */
  injectInto(head: RequestHead, overwrite: boolean): Injection {
    const field = this.#field;
    if (!overwrite && (field === null ? head.headers.has(this.header) : head[field] !== '')) return 'already exists';
    const value = this.#value;
    if (value === null) return 'missing';
    if (!this.#sendable) return 'unsendable';
    if (field === null) head.headers.set(this.header, value);
    else head[field] = value;
    return 'injected';
  }

  close(): void {
    this.source.unsubscribe(this);
  }
}

/** Compiles the message. Throws ConfigError; what is wrong with the secret goes to the context's diagnostics. */
export function createGenericCredential(
  message: Generic,
  { server, diagnostics }: ExtensionContext,
): GenericCredential {
  const { credential } = message;
  const header = message.header.toLowerCase() || 'authorization';
  if (header.startsWith(':') && fields[header] === undefined) {
    throw new ConfigError('header', `there is no pseudo-header ${header} in requests`);
  }
  const prefix = latin1OfUtf8(message.headerValuePrefix);
  if (!isFieldValue(prefix)) {
    throw new ConfigError('header_value_prefix', 'has characters that no header value may have');
  }
  if (credential === undefined) throw new ConfigError('credential', 'is required');
  const source = server.secrets.genericSecret(credential, diagnostics.at('credential'));
  return new GenericCredential(source, header, prefix);
}
