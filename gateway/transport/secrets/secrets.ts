import { Buffer } from 'node:buffer';
import type { Message } from '@bufbuild/protobuf';
import type { GrpcAsyncClient } from '#gateway/api/async-client.ts';
import type { SecretManager, ServerContext } from '#gateway/api/context.ts';
import type { SecretSource, TlsCertificateSecret, ValidationSecret } from '#gateway/api/secrets.ts';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import { encodeMessage } from '#gateway/proto/registry.ts';
import type { ConfigSource } from '#proto-types/envoy/config/core/v3/config_source_pb.ts';
import type { SdsSecretConfig, Secret } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import { GoogleGrpcClient, readGoogleGrpc } from '../google-grpc/google-grpc-client.ts';
import { FileSubscription } from './file-subscription.ts';
import { GrpcSubscription } from './grpc-subscription.ts';
import { SdsSecret } from './sds-secret.ts';
import { certificateReader, type SecretReader, validationReader } from './secret-reader.ts';
import { StaticSecret } from './static-secret.ts';

const defaultInitialFetchTimeoutMs = 15_000;
const apiTypeGrpc = 2;

/** Resolves SdsSecretConfig: a name among the bootstrap's own secrets, or a file or SDS service to follow. */
export class Secrets implements SecretManager {
  readonly #server: ServerContext;
  readonly #static: ReadonlyMap<string, Secret>;
  /** Sources in use, by kind, name and where they come from: two users of the same share one. */
  readonly #sources = new Map<string, SecretSource<unknown>>();

  constructor(server: ServerContext, staticSecrets: readonly Secret[]) {
    this.#server = server;
    this.#static = new Map(staticSecrets.map((secret) => [secret.name, secret]));
  }

  tlsCertificate(config: Message, diagnostics: Diagnostics): SecretSource<TlsCertificateSecret> {
    return this.#source('certificate', config as SdsSecretConfig, certificateReader, diagnostics);
  }

  validationContext(config: Message, diagnostics: Diagnostics): SecretSource<ValidationSecret> {
    return this.#source('validation', config as SdsSecretConfig, validationReader, diagnostics);
  }

  #source<T>(
    kind: string,
    config: SdsSecretConfig,
    reader: SecretReader<T>,
    diagnostics: Diagnostics,
  ): SecretSource<T> {
    const key = `${kind} ${Buffer.from(encodeMessage(config)).toString('base64')}`;
    const known = this.#sources.get(key) as SecretSource<T> | undefined;
    if (known !== undefined) return known;
    const source =
      config.sdsConfig === undefined
        ? this.#staticSource(config, reader, diagnostics)
        : this.#dynamicSource(config, config.sdsConfig, reader, diagnostics);
    this.#sources.set(key, source);
    return source;
  }

  #staticSource<T>(config: SdsSecretConfig, reader: SecretReader<T>, diagnostics: Diagnostics): SecretSource<T> {
    const secret = this.#static.get(config.name);
    if (secret === undefined) {
      diagnostics.error('name', `there is no static secret '${config.name}', and no sds_config to get it from`);
      return new StaticSecret<T>(config.name, null);
    }
    return new StaticSecret(config.name, reader.read(secret, this.#server, diagnostics));
  }

  #dynamicSource<T>(
    config: SdsSecretConfig,
    from: ConfigSource,
    reader: SecretReader<T>,
    diagnostics: Diagnostics,
  ): SecretSource<T> {
    const timeoutMs = durationMs(from.initialFetchTimeout, defaultInitialFetchTimeoutMs);
    const secret = new SdsSecret<T>(config.name, reader, this.#server, timeoutMs);
    const erased = secret as SdsSecret<unknown>;
    const at = diagnostics.at('sds_config');
    const where = from.configSourceSpecifier;
    switch (where.case) {
      case 'path':
        secret.from(new FileSubscription(where.value, '', erased, this.#server));
        break;
      case 'pathConfigSource': {
        const { path, watchedDirectory } = where.value;
        secret.from(new FileSubscription(path, watchedDirectory?.path ?? '', erased, this.#server));
        break;
      }
      case 'apiConfigSource': {
        const api = where.value;
        if (api.apiType !== apiTypeGrpc) at.error('api_config_source.api_type', 'only GRPC is supported yet');
        const first = api.setNodeOnFirstMessageOnly;
        const open = this.#clientOpener(api.grpcServices[0], at.at('api_config_source'));
        secret.from(new GrpcSubscription(erased, this.#server, first, open));
        break;
      }
      default:
        at.error(where.case ?? '', 'this source of secrets is not supported yet');
    }
    this.#server.addInitTarget(secret);
    return secret;
  }

  #clientOpener(
    service: Parameters<typeof readGoogleGrpc>[0] | undefined,
    diagnostics: Diagnostics,
  ): () => GrpcAsyncClient | null {
    if (service === undefined) {
      diagnostics.error('grpc_services', 'is required');
      return () => null;
    }
    if (service.targetSpecifier.case === 'googleGrpc') {
      const target = readGoogleGrpc(service, this.#server, diagnostics.at('grpc_services[0]'));
      return () => (target === null ? null : new GoogleGrpcClient(target, this.#server.clock));
    }
    // Through a cluster, which may come after the secret's own configuration: asked when it is needed.
    return () => {
      const found = new Diagnostics();
      const client = this.#server.grpcClient(service, found);
      return found.failed ? null : client;
    };
  }
}
