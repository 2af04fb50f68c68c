import type { Message } from '@bufbuild/protobuf';
import type { AccessLogger, FormatterContext, LogFiles } from '#gateway/api/access-log.ts';
import type { GrpcAsyncClient, HttpAsyncClient } from '#gateway/api/async-client.ts';
import type { DrainState, InitTarget, RuntimeFlags, SecretManager, ServerContext } from '#gateway/api/context.ts';
import type { ExtensionRegistry } from '#gateway/api/extension.ts';
import type { ClusterManager } from '#gateway/api/upstream.ts';
import type { LogRegistry } from '#gateway/base/log.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { buildAccessLogger } from '#gateway/extensions/access-log/build-access-logger.ts';
import { compileAccessLogFilter } from '#gateway/extensions/access-log/filter.ts';
import { accessLogExtensions } from '#gateway/extensions/access-log/index.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import type { Scope } from '#gateway/stats/stats.ts';
import type { AccessLog, AccessLogFilter } from '#proto-types/envoy/config/accesslog/v3/accesslog_pb.ts';
import type { DataSource } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import { readDataSource } from './data-source.ts';
import type { InitManager } from './init-manager.ts';

/** Parts of the context that need the context itself to be made. */
export interface LateParts {
  readonly clusters: ClusterManager;
  readonly httpClient: HttpAsyncClient;
  readonly grpcClient: (config: Message, diagnostics: Diagnostics) => GrpcAsyncClient;
  readonly secrets: SecretManager;
}

/** Parts of the context that stand alone. */
export interface EarlyParts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logs: LogRegistry;
  readonly stats: Scope;
  readonly runtime: RuntimeFlags;
  readonly logFiles: LogFiles;
  readonly drain: DrainState;
  readonly extensions: ExtensionRegistry;
  readonly node: { readonly id: string; readonly cluster: string; readonly zone: string };
  readonly init: InitManager;
}

/** The server context. Made in two steps: clusters and secrets are built with the context they become a part of. */
export class GatewayContext implements ServerContext {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logs: LogRegistry;
  readonly stats: Scope;
  readonly runtime: RuntimeFlags;
  readonly logFiles: LogFiles;
  readonly drain: DrainState;
  readonly extensions: ExtensionRegistry;
  readonly node: { readonly id: string; readonly cluster: string; readonly zone: string };
  healthCheckFailed = false;
  readonly #init: InitManager;
  #late: LateParts | null = null;

  constructor(parts: EarlyParts) {
    this.clock = parts.clock;
    this.timers = parts.timers;
    this.random = parts.random;
    this.logs = parts.logs;
    this.stats = parts.stats;
    this.runtime = parts.runtime;
    this.logFiles = parts.logFiles;
    this.drain = parts.drain;
    this.extensions = parts.extensions;
    this.node = parts.node;
    this.#init = parts.init;
  }

  /** Completes the context. Called once, before anything is configured. */
  complete(parts: LateParts): void {
    this.#late = parts;
  }

  get clusters(): ClusterManager {
    return this.#parts.clusters;
  }
  get httpClient(): HttpAsyncClient {
    return this.#parts.httpClient;
  }
  get secrets(): SecretManager {
    return this.#parts.secrets;
  }

  grpcClient(config: Message, diagnostics: Diagnostics): GrpcAsyncClient {
    return this.#parts.grpcClient(config, diagnostics);
  }

  addInitTarget(target: InitTarget): void {
    this.#init.add(target);
  }

  accessLogger(config: Message, diagnostics: Diagnostics): AccessLogger {
    return buildAccessLogger(config as AccessLog, accessLogExtensions, this, diagnostics);
  }

  accessLogFilter(config: Message, diagnostics: Diagnostics): (context: FormatterContext) => boolean {
    return diagnostics.try(() => compileAccessLogFilter(config as AccessLogFilter, this)) ?? (() => false);
  }

  readDataSource(config: Message, diagnostics: Diagnostics): Uint8Array | null {
    return readDataSource(config as DataSource, diagnostics);
  }

  get #parts(): LateParts {
    if (this.#late === null) throw new Error('the server context is not complete');
    return this.#late;
  }
}
