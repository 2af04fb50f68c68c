import { Buffer } from 'node:buffer';
import { type Connection, ConnectionInfo } from '#gateway/api/connection.ts';
import type { ExtensionContext, ServerContext } from '#gateway/api/context.ts';
import type { HttpFilterExtension } from '#gateway/api/extension.ts';
import type {
  DecoderFilterCallbacks,
  EncoderFilterCallbacks,
  LocalReplyOptions,
  StreamDecoderFilter,
  StreamEncoderFilter,
} from '#gateway/api/http-filter.ts';
import { responseFlagNames } from '#gateway/api/response-flags.ts';
import type { Route } from '#gateway/api/route.ts';
import { StreamInfo } from '#gateway/api/stream-info.ts';
import type { ClusterInfo } from '#gateway/api/upstream.ts';
import { ipAddress } from '#gateway/base/address.ts';
import type { ByteQueue } from '#gateway/base/byte-queue.ts';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { loadMessage } from '#gateway/config/load/load-message.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { type RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { routeTo } from './router-stream.ts';

const here = ipAddress('127.0.0.1', 1);
const RULES = { checks: { rules: true, support: true } };

/** The context that an extension of `server` is configured in; its statistics are below `http.test`. */
export function extensionContext(server: ServerContext): ExtensionContext {
  return { server, scope: server.stats.scope('http.test'), diagnostics: new Diagnostics() };
}

/** An extension configured from YAML: makes the filter of one stream after the other. */
export class ConfiguredFilter {
  readonly #extension: HttpFilterExtension;
  readonly #context: ExtensionContext;
  readonly #create: () => FilterCallbacks;

  constructor(extension: HttpFilterExtension, yaml: string, server: ServerContext) {
    this.#extension = extension;
    this.#context = extensionContext(server);
    const factory = extension.createFactory(load(extension.configType, yaml), this.#context);
    this.#context.diagnostics.throwIfFailed();
    this.#create = () => {
      const stream = new FilterCallbacks();
      factory.createFilter({
        addDecoderFilter: (filter) => stream.attach(filter, null),
        addEncoderFilter: (filter) => stream.attach(null, filter),
        addFilter: (filter) => stream.attach(filter, filter),
        addStreamCompleteListener: () => {},
      });
      return stream;
    };
  }

  /** A stream with the filter on it; `perRoute` are messages in YAML, least specific first. */
  stream(...perRoute: readonly string[]): FilterCallbacks {
    const stream = this.#create();
    stream.routeConfigs = perRoute.map((yaml) => this.#routeConfig(yaml));
    return stream;
  }

  #routeConfig(yaml: string): unknown {
    const config = this.#extension.createRouteConfig(load(this.#extension.routeConfigType!, yaml), this.#context);
    this.#context.diagnostics.throwIfFailed();
    return config;
  }
}

function load(type: string, yaml: string): ReturnType<typeof loadMessage>['message'] {
  const loaded = loadMessage(type, yaml, 'filter.yaml', RULES);
  loaded.diagnostics.throwIfFailed();
  return loaded.message;
}

/** A stream with one filter on it: gives the filter heads and bodies and notes what it asks for. */
export class FilterCallbacks implements DecoderFilterCallbacks, EncoderFilterCallbacks {
  readonly connection: Connection = { info: new ConnectionInfo(1, here, here, 0) } as unknown as Connection;
  readonly streamInfo: StreamInfo = new StreamInfo(this.connection.info, 0, 0);
  route: Route | null = routeTo('up');
  clusterInfo: ClusterInfo | null = null;
  requestHead: RequestHead | null = null;
  responseHead: ResponseHead | null = null;
  routeConfigs: readonly unknown[] = [];
  bufferLimit: number = 1 << 20;
  /** Status of the filter's own answer, its body and details; 0: it did not answer. */
  answered = 0;
  body = '';
  details = '';
  /** How often the filter went on by itself. */
  continued = 0;
  #decoder: StreamDecoderFilter | null = null;
  #encoder: StreamEncoderFilter | null = null;

  attach(decoder: StreamDecoderFilter | null, encoder: StreamEncoderFilter | null): void {
    this.#decoder = decoder;
    this.#encoder = encoder;
    decoder?.setDecoderFilterCallbacks(this);
    encoder?.setEncoderFilterCallbacks(this);
  }

  /** Sends a request head; answers what the filter answered. */
  request(head: RequestHead, endStream = true): number {
    this.requestHead = head;
    return this.#decoder!.decodeHeaders(head, endStream);
  }
  send(text: string, endStream = false): number {
    return this.#decoder!.decodeData(Buffer.from(text), endStream);
  }
  sendTrailers(trailers: HeaderMap): number {
    return this.#decoder!.decodeTrailers(trailers);
  }
  /** Sends a response head; gives it back as the filter left it. */
  respond(head: ResponseHead, endStream = true): ResponseHead {
    this.responseHead = head;
    this.streamInfo.responseCode = head.status;
    this.#encoder?.encodeHeaders(head, endStream);
    return head;
  }
  respondTrailers(trailers: HeaderMap): void {
    this.#encoder!.encodeTrailers(trailers);
  }

  /** `LH,UH`: the response flags set, as in access logs. */
  get flags(): string {
    const set = responseFlagNames.filter(({ bit }) => this.streamInfo.hasFlag(bit));
    return set.map(({ short }) => short).join(',');
  }

  clearRouteCache(): void {}
  routeConfig(): unknown {
    return this.routeConfigs.at(-1) ?? null;
  }
  allRouteConfigs(): readonly unknown[] {
    return this.routeConfigs;
  }
  resetStream(): void {}
  continueDecoding(): void {
    this.continued++;
  }
  continueEncoding(): void {
    this.continued++;
  }
  decodingBuffer(): ByteQueue | null {
    return null;
  }
  encodingBuffer(): ByteQueue | null {
    return null;
  }
  addDecodedData(): void {}
  addEncodedData(): void {}
  injectDecodedData(): void {}
  injectEncodedTrailers(): void {}
  onEncoderFilterAboveWriteBufferHighWatermark(): void {}
  onEncoderFilterBelowWriteBufferLowWatermark(): void {}
  injectEncodedData(): void {}
  decoderBufferLimit(): number {
    return this.bufferLimit;
  }
  setDecoderBufferLimit(octets: number): void {
    this.bufferLimit = octets;
  }
  encoderBufferLimit(): number {
    return this.bufferLimit;
  }
  setEncoderBufferLimit(octets: number): void {
    this.bufferLimit = octets;
  }
  /** The answer passes the filter on its way out, as in a filter chain. */
  sendLocalReply(status: number, body: string | Uint8Array, details: string, options?: LocalReplyOptions): void {
    this.body = typeof body === 'string' ? body : Buffer.from(body).toString('latin1');
    const head = new ResponseHead(status);
    options?.modifyHeaders?.(head);
    this.encodeHeaders(head, true, details);
  }
  encodeInformational(): void {}
  encodeHeaders(head: ResponseHead, endStream: boolean, details: string): void {
    this.answered = head.status;
    this.details = details;
    this.respond(head, endStream);
  }
  encodeData(chunk: Uint8Array): void {
    this.body += Buffer.from(chunk).toString('latin1');
  }
  encodeTrailers(): void {}
  onDecoderFilterAboveWriteBufferHighWatermark(): void {}
  onDecoderFilterBelowWriteBufferLowWatermark(): void {}
  addDownstreamWatermarkCallbacks(): void {}
  removeDownstreamWatermarkCallbacks(): void {}
}
