import type { Message } from '@bufbuild/protobuf';
import type { LogRegistry } from '#gateway/base/log.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import type { Scope } from '#gateway/stats/stats.ts';
import type { AccessLogger, FormatterContext, LogFiles } from './access-log.ts';
import type { GrpcAsyncClient, HttpAsyncClient } from './async-client.ts';
import type { ExtensionRegistry } from './extension.ts';
import type { GenericSecretValue, SecretSource, TlsCertificateSecret, ValidationSecret } from './secrets.ts';
import type { ClusterManager } from './upstream.ts';

/** Runtime flags and fractions: layered_runtime of the bootstrap. */
export interface RuntimeFlags {
  number(key: string, fallback: number): number;
  boolean(key: string, fallback: boolean): boolean;
  /** Whether a random draw falls under `key`'s fraction (or the default `numerator` of `denominator`). */
  enabled(key: string, numerator: number, denominator: number, randomUint32: number): boolean;
}

/** Something that must be ready before listeners open: a DNS answer, a secret, a remote JWKS. */
export interface InitTarget {
  readonly name: string;
  /** Starts the work; `done` is called once, also on failure or time-out. */
  start(done: () => void): void;
}

/** Whether the server is going away. */
export interface DrainState {
  /** True when this response should carry `connection: close` or be followed by GOAWAY. Random in the drain period, as Envoy's gradual strategy. */
  drainClose(): boolean;
  readonly draining: boolean;
}

/** Resolves secrets named in TLS contexts. */
export interface SecretManager {
  /** `config` is an SdsSecretConfig message. */
  tlsCertificate(config: Message, diagnostics: Diagnostics): SecretSource<TlsCertificateSecret>;
  validationContext(config: Message, diagnostics: Diagnostics): SecretSource<ValidationSecret>;
  /** Tokens, keys of HMAC, passwords. */
  genericSecret(config: Message, diagnostics: Diagnostics): SecretSource<GenericSecretValue>;
  /** Keys that seal session tickets, as the TLS library takes them. */
  sessionTicketKeys(config: Message, diagnostics: Diagnostics): SecretSource<{ readonly octets: Uint8Array }>;
}

/** What every part of the running server may use. Made once, in `server/`; there is no other global state. */
export interface ServerContext {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logs: LogRegistry;
  /** The root scope: names are complete (`http.ingress.downstream_rq_total`). */
  readonly stats: Scope;
  readonly clusters: ClusterManager;
  readonly httpClient: HttpAsyncClient;
  /** `config` is an envoy.config.core.v3.GrpcService message; problems go to `diagnostics`. */
  grpcClient(config: Message, diagnostics: Diagnostics): GrpcAsyncClient;
  readonly secrets: SecretManager;
  readonly runtime: RuntimeFlags;
  readonly logFiles: LogFiles;
  readonly drain: DrainState;
  /** Set by POST /healthcheck/fail; the health_check filter answers by it. */
  readonly healthCheckFailed: boolean;
  /** The explicit lists of extensions: the connection manager looks its HTTP filters up here. */
  readonly extensions: ExtensionRegistry;
  readonly node: { readonly id: string; readonly cluster: string; readonly zone: string };
  addInitTarget(target: InitTarget): void;
  /** Builds an access logger from an envoy.config.accesslog.v3.AccessLog message. */
  accessLogger(config: Message, diagnostics: Diagnostics): AccessLogger;
  /** Compiles an envoy.config.accesslog.v3.AccessLogFilter message; the connection manager's local_reply_config uses them. */
  accessLogFilter(config: Message, diagnostics: Diagnostics): (context: FormatterContext) => boolean;
  /** Reads a config.core.v3.DataSource message: inline, file or environment variable. */
  readDataSource(config: Message, diagnostics: Diagnostics): Uint8Array | null;
}

/** What an extension's parse step gets: the server, where its statistics go, and where problems are reported. */
export interface ExtensionContext {
  readonly server: ServerContext;
  /** e.g. `http.ingress` for an HTTP filter; `listener.<address>` for a listener filter. */
  readonly scope: Scope;
  /** Paths given to it are relative to the extension's typed_config. */
  readonly diagnostics: Diagnostics;
}
