import { Buffer } from 'node:buffer';
import type { Message } from '@bufbuild/protobuf';
import type { SecretManager, ServerContext } from '#gateway/api/context.ts';
import type { GenericSecretValue, SecretSource, TlsCertificateSecret, ValidationSecret } from '#gateway/api/secrets.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import { createMessage, encodeMessage } from '#gateway/proto/registry.ts';
import { readApiSource, type XdsMethods, type XdsServices } from '#gateway/xds/api-source.ts';
import type { XdsMux } from '#gateway/xds/xds-watch.ts';
import type { Node } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import type { ConfigSource } from '#proto-types/envoy/config/core/v3/config_source_pb.ts';
import type { SdsSecretConfig, Secret } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import { GoogleGrpcClients } from '../google-grpc/google-grpc-clients.ts';
import { noUses, type SecretUses } from '../rehearsal/secret-uses.ts';
import { FileSubscription } from './file-subscription.ts';
import { FolderWatches } from './folder-watches.ts';
import { genericReader, ticketKeysReader } from './generic-reader.ts';
import { GrpcSubscription } from './grpc-subscription.ts';
import { SdsSecret } from './sds-secret.ts';
import { certificateReader, type SecretReader, validationReader } from './secret-reader.ts';
import type { SecretTools } from './secret-tools.ts';
import { StaticSecret } from './static-secret.ts';

const defaultInitialFetchTimeoutMs = 15_000;
const methods: XdsMethods = {
  stateOfTheWorld: '/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets',
  incremental: '/envoy.service.secret.v3.SecretDiscoveryService/DeltaSecrets',
};

/** What secrets are fetched with. */
export interface SecretServices extends XdsServices {
  /** The aggregated stream of the bootstrap's ads_config; null when there is none. */
  readonly ads: XdsMux | null;
  /** The watches on folders that all secrets share. */
  readonly folders: FolderWatches;
}

/** Resolves SdsSecretConfig: a name among the bootstrap's own secrets, or a file or SDS service to follow. */
export class Secrets implements SecretManager {
  readonly #server: ServerContext;
  readonly #static: ReadonlyMap<string, Secret>;
  /** Who uses a source: what the rehearsal must not break. Set once listeners and clusters are there to be asked. */
  usesOf: (source: SecretSource<unknown>) => SecretUses = () => noUses;
  /** Sources in use, by kind, name and where they come from: two users of the same share one. */
  readonly #sources = new Map<string, SecretSource<unknown>>();
  readonly #services: SecretServices;
  readonly #tools: SecretTools;

  constructor(server: ServerContext, staticSecrets: readonly Secret[], services: Partial<SecretServices> = {}) {
    this.#server = server;
    this.#tools = { folders: services.folders ?? new FolderWatches(), usesOf: (source) => this.usesOf(source) };
    this.#services = {
      node: services.node ?? (() => shortNode(server)),
      google: services.google ?? new GoogleGrpcClients(server),
      ads: services.ads ?? null,
      folders: this.#tools.folders,
    };
    this.#static = new Map(staticSecrets.map((secret) => [secret.name, secret]));
  }

  tlsCertificate(config: Message, diagnostics: Diagnostics): SecretSource<TlsCertificateSecret> {
    return this.#source('certificate', config as SdsSecretConfig, certificateReader, diagnostics);
  }

  validationContext(config: Message, diagnostics: Diagnostics): SecretSource<ValidationSecret> {
    return this.#source('validation', config as SdsSecretConfig, validationReader, diagnostics);
  }

  genericSecret(config: Message, diagnostics: Diagnostics): SecretSource<GenericSecretValue> {
    return this.#source('generic', config as SdsSecretConfig, genericReader, diagnostics);
  }

  sessionTicketKeys(config: Message, diagnostics: Diagnostics): SecretSource<{ readonly octets: Uint8Array }> {
    return this.#source('ticket keys', config as SdsSecretConfig, ticketKeysReader, diagnostics);
  }

  /** Secrets that come from outside, in the order they were first asked for: for /config_dump. */
  get dynamic(): readonly SdsSecret<unknown>[] {
    return [...this.#sources.values()].filter((source) => source instanceof SdsSecret);
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
        : this.#dynamicSource(config, config.sdsConfig, reader, diagnostics, () => this.#sources.delete(key));
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
    released: () => void,
  ): SecretSource<T> {
    const timeoutMs = durationMs(from.initialFetchTimeout, defaultInitialFetchTimeoutMs);
    const secret = new SdsSecret<T>(config.name, reader, this.#server, timeoutMs, released, this.#tools);
    const erased = secret as SdsSecret<unknown>;
    const at = diagnostics.at('sds_config');
    const where = from.configSourceSpecifier;
    switch (where.case) {
      case 'path':
        secret.from(new FileSubscription(where.value, '', erased, this.#server, this.#tools.folders));
        break;
      case 'pathConfigSource': {
        const { path, watchedDirectory } = where.value;
        secret.from(
          new FileSubscription(path, watchedDirectory?.path ?? '', erased, this.#server, this.#tools.folders),
        );
        break;
      }
      case 'apiConfigSource': {
        const inner = at.at('api_config_source');
        const open = readApiSource(where.value, methods, this.#services, this.#server, inner);
        // As in Envoy, each secret has a stream of its own; those to one service share its connections.
        if (open !== null)
          secret.from(new GrpcSubscription(erased, open(secret.stats.scope), true, this.#server.clock));
        break;
      }
      case 'ads':
        if (this.#services.ads === null) at.error('ads', 'needs dynamic_resources.ads_config in the bootstrap');
        else secret.from(new GrpcSubscription(erased, this.#services.ads, false, this.#server.clock));
        break;
      default:
        at.error(where.case ?? '', 'this source of secrets is not supported yet');
    }
    this.#server.addInitTarget(secret);
    return secret;
  }
}

/** What the server context itself knows of the node. */
function shortNode({ node }: ServerContext): Node {
  return createMessage<Node>('envoy.config.core.v3.Node', {
    id: node.id,
    cluster: node.cluster,
    locality: { zone: node.zone },
    userAgentName: 'envoy',
  });
}
