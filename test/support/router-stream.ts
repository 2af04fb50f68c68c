import type { Connection } from '#gateway/api/connection.ts';
import { ConnectionInfo } from '#gateway/api/connection.ts';
import type {
  DecoderFilterCallbacks,
  DownstreamWatermarkCallbacks,
  LocalReplyOptions,
  StreamDecoderFilter,
} from '#gateway/api/http-filter.ts';
import { responseFlagNames } from '#gateway/api/response-flags.ts';
import type { Route, RouteEntry, VirtualHost } from '#gateway/api/route.ts';
import { StreamInfo } from '#gateway/api/stream-info.ts';
import type { ClusterInfo } from '#gateway/api/upstream.ts';
import { ipAddress } from '#gateway/base/address.ts';
import type { ByteQueue } from '#gateway/base/byte-queue.ts';
import type { ResetReason } from '#gateway/protocol/codec.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';

const here = ipAddress('127.0.0.1', 1);

/** A virtual host with nothing special. */
export const plainVirtualHost: VirtualHost = {
  name: 'v',
  routeTableName: 'r',
  includeRequestAttemptCount: false,
  includeAttemptCountInResponse: false,
  rateLimits: [],
} as VirtualHost;

/** A route to `clusterName` with Envoy's defaults; `changes` replaces parts. */
export function routeTo(
  clusterName: string,
  changes: Partial<RouteEntry> = {},
  host: Partial<VirtualHost> = {},
): Route {
  const entry = {
    clusterName,
    clusterNotFoundStatus: 503,
    priority: 'default',
    timeoutMs: 15_000,
    idleTimeoutMs: -1,
    maxStreamDurationMs: -1,
    grpcTimeoutHeaderMaxMs: -1,
    grpcTimeoutHeaderOffsetMs: 0,
    retryPolicy: null,
    rateLimits: [],
    includeVirtualHostRateLimits: false,
    metadataMatch: null,
    autoHostRewrite: false,
    appendXForwardedHost: false,
    upgrades: null,
    terminatesConnect: false,
    mirrors: [],
    hash: () => null,
    finalizeRequestHeaders: () => {},
    finalizeResponseHeaders: () => {},
    ...changes,
  } as RouteEntry;
  return {
    name: '',
    virtualHost: { ...plainVirtualHost, ...host },
    entry,
    directResponse: null,
    metadata: {},
    filterConfig: () => null,
    allFilterConfigs: () => [],
    filterDisabled: () => null,
  };
}

/** A request head; headers as `name, value` pairs. */
export function requestHead(method: string, path: string, ...headers: readonly string[]): RequestHead {
  return new RequestHead(method, path, 'example.com', 'http', new HeaderMap([...headers]));
}

/** A stream with one decoder filter on it, which records what the filter does. */
export class FilterStream implements DecoderFilterCallbacks {
  readonly connection: Connection = { info: new ConnectionInfo(1, here, here, 0) } as unknown as Connection;
  readonly streamInfo: StreamInfo;
  route: Route | null;
  clusterInfo: ClusterInfo | null = null;
  requestHead: RequestHead | null = null;
  responseHead: ResponseHead | null = null;
  bufferLimit: number = 1 << 20;
  /** What happened, in order: `reply 503 details`, `headers 200`, `data 5`, `trailers`, `end`, `reset details`. */
  readonly events: string[] = [];
  body = '';
  details = '';
  trailers: HeaderMap | null = null;
  /** `onDecoderFilterAboveWriteBufferHighWatermark` not taken back. */
  paused = 0;
  continued = 0;
  routeConfigs: readonly unknown[] = [];
  readonly watermarks: DownstreamWatermarkCallbacks[] = [];
  readonly filter: StreamDecoderFilter;
  #waiters: { condition: () => boolean; done: () => void }[] = [];
  ended = false;

  constructor(filter: StreamDecoderFilter, route: Route | null) {
    this.filter = filter;
    this.route = route;
    this.streamInfo = new StreamInfo(this.connection.info, 0, 0);
    this.streamInfo.protocol = 'HTTP/1.1';
    filter.setDecoderFilterCallbacks(this);
  }

  /** Sends a request head; returns what the filter answered. */
  request(head: RequestHead, endStream = true): number {
    this.requestHead = head;
    return this.filter.decodeHeaders(head, endStream);
  }

  send(text: string, endStream = false): void {
    this.filter.decodeData(new TextEncoder().encode(text), endStream);
  }

  /** Resolves at the end of the response, or at a reset. */
  async finished(): Promise<void> {
    await this.until(() => this.ended);
  }

  until(condition: () => boolean): Promise<void> {
    return new Promise((done) => {
      this.#waiters.push({ condition, done });
      this.#wake();
    });
  }

  /** `UF,URX`: the response flags set, as in access logs. */
  get flags(): string {
    return responseFlagNames
      .filter(({ bit }) => this.streamInfo.hasFlag(bit))
      .map(({ short }) => short)
      .join(',');
  }

  clearRouteCache(): void {}
  routeConfig(): unknown {
    return this.routeConfigs.at(-1) ?? null;
  }
  allRouteConfigs(): readonly unknown[] {
    return this.routeConfigs;
  }
  resetStream(_reason: ResetReason, details: string): void {
    this.details = details;
    this.#note(`reset ${details}`, true);
  }
  continueDecoding(): void {
    this.continued++;
    this.#wake();
  }
  decodingBuffer(): ByteQueue | null {
    return null;
  }
  addDecodedData(): void {}
  injectDecodedData(): void {}
  decoderBufferLimit(): number {
    return this.bufferLimit;
  }
  setDecoderBufferLimit(octets: number): void {
    this.bufferLimit = octets;
  }
  sendLocalReply(status: number, body: string | Uint8Array, details: string, options?: LocalReplyOptions): void {
    this.responseHead = new ResponseHead(status);
    options?.modifyHeaders?.(this.responseHead);
    this.body = typeof body === 'string' ? body : Buffer.from(body).toString('latin1');
    this.details = details;
    this.#note(`reply ${status} ${details}`, true);
  }
  encodeInformational(head: ResponseHead): void {
    this.#note(`informational ${head.status}`, false);
  }
  encodeHeaders(head: ResponseHead, endStream: boolean, details: string): void {
    this.responseHead = head;
    this.details = details;
    this.#note(`headers ${head.status}`, endStream);
  }
  encodeData(chunk: Uint8Array, endStream: boolean): void {
    this.body += Buffer.from(chunk).toString('latin1');
    this.#note(`data ${chunk.length}`, endStream);
  }
  encodeTrailers(trailers: HeaderMap): void {
    this.trailers = trailers;
    this.#note('trailers', true);
  }
  onDecoderFilterAboveWriteBufferHighWatermark(): void {
    this.paused++;
    this.#wake();
  }
  onDecoderFilterBelowWriteBufferLowWatermark(): void {
    this.paused--;
    this.#wake();
  }
  addDownstreamWatermarkCallbacks(callbacks: DownstreamWatermarkCallbacks): void {
    this.watermarks.push(callbacks);
  }
  removeDownstreamWatermarkCallbacks(): void {}

  #note(event: string, end: boolean): void {
    this.events.push(event);
    if (end) {
      this.events.push('end');
      this.ended = true;
    }
    this.#wake();
  }

  #wake(): void {
    const ready = this.#waiters.filter((waiter) => waiter.condition());
    this.#waiters = this.#waiters.filter((waiter) => !ready.includes(waiter));
    for (const waiter of ready) waiter.done();
  }
}
