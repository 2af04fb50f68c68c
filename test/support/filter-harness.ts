import assert from 'node:assert/strict';
import { fromJson, type JsonValue, type Message } from '@bufbuild/protobuf';
import type { ExtensionContext, ServerContext } from '#gateway/api/context.ts';
import type { HttpFilterExtension } from '#gateway/api/extension.ts';
import type {
  FilterChainBuilder,
  HttpFilterFactory,
  StreamCompleteListener,
  StreamDecoderFilter,
  StreamEncoderFilter,
} from '#gateway/api/http-filter.ts';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { messageSchema, protoRegistry } from '#gateway/proto/registry.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { FilterStream, routeTo } from './router-stream.ts';
import { createTestServerContext, type TestServerContext } from './server-context.ts';

/** The message that a JSON configuration stands for. */
export function messageOf(typeName: string, json: unknown): Message {
  return fromJson(messageSchema(typeName), json as JsonValue, { registry: protoRegistry() });
}

/** Filters that a factory put on one stream. */
class OneStreamChain implements FilterChainBuilder {
  decoder: StreamDecoderFilter | null = null;
  encoder: StreamEncoderFilter | null = null;
  readonly listeners: StreamCompleteListener[] = [];

  addDecoderFilter(filter: StreamDecoderFilter): void {
    this.decoder = filter;
  }
  addEncoderFilter(filter: StreamEncoderFilter): void {
    this.encoder = filter;
  }
  addFilter(filter: StreamDecoderFilter & StreamEncoderFilter): void {
    this.decoder = filter;
    this.encoder = filter;
  }
  addStreamCompleteListener(listener: StreamCompleteListener): void {
    this.listeners.push(listener);
  }
}

/** One HTTP filter, configured from JSON, and streams through it. */
export class FilterHarness {
  readonly server: TestServerContext;
  readonly extension: HttpFilterExtension;
  readonly problems: string[];
  /** What the extension made of the configuration. */
  readonly factory: HttpFilterFactory | undefined;
  readonly #create: (chain: FilterChainBuilder) => void;
  readonly #context: ExtensionContext;
  /** What the last stream's chain was given. */
  lastChain: OneStreamChain = new OneStreamChain();

  constructor(extension: HttpFilterExtension, json: unknown, overrides: Partial<ServerContext> = {}) {
    this.server = createTestServerContext(overrides);
    this.extension = extension;
    const diagnostics = new Diagnostics();
    this.#context = { server: this.server, scope: this.server.stats.scope('http.test'), diagnostics };
    const factory = diagnostics.try(() =>
      extension.createFactory(messageOf(extension.configType, json), this.#context),
    );
    this.problems = diagnostics.errors.map(({ path, problem }) => `${path}: ${problem}`);
    this.factory = factory;
    this.#create = (chain) => factory?.createFilter(chain);
  }

  /** A stream; `routes` are per-route configurations as JSON, least specific first. */
  stream(...routes: readonly unknown[]): FilterStream {
    this.lastChain = new OneStreamChain();
    this.#create(this.lastChain);
    const { decoder, encoder } = this.lastChain;
    assert.ok(decoder !== null);
    const stream = new FilterStream(decoder, routeTo('backend'));
    encoder?.setEncoderFilterCallbacks(
      stream as unknown as Parameters<StreamEncoderFilter['setEncoderFilterCallbacks']>[0],
    );
    stream.routeConfigs = routes.map((json) => this.routeConfig(json));
    return stream;
  }

  routeConfig(json: unknown): unknown {
    const { routeConfigType, configType } = this.extension;
    return this.extension.createRouteConfig(messageOf(routeConfigType ?? configType, json), this.#context);
  }

  /** Passes a response head through the last stream's encoder. */
  respond(status: number, ...headers: readonly string[]): ResponseHead {
    const head = new ResponseHead(status, new HeaderMap([...headers]));
    this.lastChain.encoder?.encodeHeaders(head, false);
    return head;
  }

  /** The value of a statistic below `http.test.`. */
  stat(name: string): number {
    return this.server.stat(`http.test.${name}`);
  }
}
