import type { Message } from '@bufbuild/protobuf';
import type { SecretManager, ServerContext } from '#gateway/api/context.ts';
import type { SecretSource, TlsCertificateSecret, ValidationSecret } from '#gateway/api/secrets.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { readTlsCertificate } from '#gateway/transport/secrets/read-secret.ts';
import { StaticSecret } from '#gateway/transport/secrets/static-secret.ts';
import { readValidationSecret } from '#gateway/transport/validation-context.ts';
import type { SdsSecretConfig, Secret } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';

/**
 * Secrets of the bootstrap (`static_resources.secrets`); those that a discovery service delivers come from `dynamic`, null
 * where there is none.
 */
export class BootstrapSecrets implements SecretManager {
  readonly #server: ServerContext;
  readonly #secrets: readonly Secret[];
  readonly #found: Diagnostics;
  readonly #dynamic: SecretManager | null;
  readonly #certificates = new Map<string, SecretSource<TlsCertificateSecret>>();
  readonly #validations = new Map<string, SecretSource<ValidationSecret>>();

  /** `found` is for the secrets' own problems, at `[index]`. */
  constructor(server: ServerContext, secrets: readonly Secret[], dynamic: SecretManager | null, found: Diagnostics) {
    this.#server = server;
    this.#secrets = secrets;
    this.#dynamic = dynamic;
    this.#found = found;
  }

  tlsCertificate(config: Message, diagnostics: Diagnostics): SecretSource<TlsCertificateSecret> {
    const { name, sdsConfig } = config as SdsSecretConfig;
    if (sdsConfig !== undefined) return this.#fromService(config, diagnostics).tlsCertificate(config, diagnostics);
    let source = this.#certificates.get(name);
    if (source === undefined) {
      const { secret, at } = this.#find(name, diagnostics);
      const value = secret?.type.case === 'tlsCertificate' ? secret.type.value : null;
      if (secret !== null && value === null) diagnostics.error('name', `secret '${name}' is not a TLS certificate`);
      const read = value === null ? null : readTlsCertificate(value, this.#server, at.at('tls_certificate'));
      source = new StaticSecret(name, read);
      this.#certificates.set(name, source);
    }
    return source;
  }

  validationContext(config: Message, diagnostics: Diagnostics): SecretSource<ValidationSecret> {
    const { name, sdsConfig } = config as SdsSecretConfig;
    if (sdsConfig !== undefined) return this.#fromService(config, diagnostics).validationContext(config, diagnostics);
    let source = this.#validations.get(name);
    if (source === undefined) {
      const { secret, at } = this.#find(name, diagnostics);
      const value = secret?.type.case === 'validationContext' ? secret.type.value : null;
      if (secret !== null && value === null) diagnostics.error('name', `secret '${name}' is not a validation context`);
      const read = value === null ? null : readValidationSecret(value, this.#server, at.at('validation_context'));
      source = new StaticSecret(name, read);
      this.#validations.set(name, source);
    }
    return source;
  }

  #find(name: string, diagnostics: Diagnostics): { secret: Secret | null; at: Diagnostics } {
    const index = this.#secrets.findIndex((secret) => secret.name === name);
    if (index === -1) diagnostics.error('name', `unknown static secret '${name}'`);
    return { secret: this.#secrets[index] ?? null, at: this.#found.at(`[${index}]`) };
  }

  #fromService(config: Message, diagnostics: Diagnostics): SecretManager {
    if (this.#dynamic !== null) return this.#dynamic;
    diagnostics.error('sds_config', `secret '${(config as SdsSecretConfig).name}': SDS is not supported yet`);
    return noSecrets;
  }
}

/** Stands for secrets of a configuration that was refused. */
const noSecrets: SecretManager = {
  tlsCertificate: () => new StaticSecret<TlsCertificateSecret>('', null),
  validationContext: () => new StaticSecret<ValidationSecret>('', null),
};
