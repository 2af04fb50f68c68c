import { Buffer } from 'node:buffer';
import { type CloseKind, type Connection, type ConnectionCallbacks, ConnectionInfo } from '#gateway/api/connection.ts';
import type { ServerContext } from '#gateway/api/context.ts';
import type { HttpFilterExtension } from '#gateway/api/extension.ts';
import type {
  DecoderFilterCallbacks,
  EncoderFilterCallbacks,
  FilterChainBuilder,
  StreamDecoderFilter,
  StreamEncoderFilter,
} from '#gateway/api/http-filter.ts';
import { FilterDataStatus, FilterHeadersStatus, FilterTrailersStatus } from '#gateway/api/http-filter.ts';
import { StreamInfo } from '#gateway/api/stream-info.ts';
import { ipAddress } from '#gateway/base/address.ts';
import { OutputBuffer } from '#gateway/base/output-buffer.ts';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { ConnectionManager } from '#gateway/http/connection-manager.ts';
import { parseManagerConfig } from '#gateway/http/parse-manager-config.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { HeaderMap as Headers } from '#gateway/protocol/headers/header-map.ts';
import { type RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { TimerWheel } from '#gateway/runtime/timers.ts';
import type { HttpConnectionManager } from '#proto-types/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import { messageOf } from './filter-harness.ts';
import { createTestServerContext, type TestServerContext } from './server-context.ts';

/** A downstream connection without a socket. */
export class MemoryConnection implements Connection {
  readonly info: ConnectionInfo = new ConnectionInfo(1, ipAddress('10.0.0.1', 80), ipAddress('10.9.8.7', 40000), 0);
  readonly output: OutputBuffer = new OutputBuffer({ onOutputPending: () => {} });
  state: 'connecting' | 'open' | 'closing' | 'closed' = 'open';
  closed = '';
  readDisabled = 0;
  bufferLimit = 0;
  readonly unsentOctets = 0;
  readonly octetsReceived = 0;
  readonly octetsSent = 0;
  readonly callbacks: ConnectionCallbacks[] = [];
  #written = '';

  get text(): string {
    for (const chunk of this.output.take()) this.#written += Buffer.from(chunk).toString('latin1');
    return this.#written;
  }
  setSink(): void {}
  addCallbacks(callbacks: ConnectionCallbacks): void {
    this.callbacks.push(callbacks);
  }
  removeCallbacks(): void {}
  setBufferLimit(octets: number): void {
    this.bufferLimit = octets;
  }
  setDelayedCloseTimeout(): void {}
  readDisable(disable: boolean): void {
    this.readDisabled += disable ? 1 : -1;
  }
  close(kind: CloseKind, details = ''): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.closed = kind;
    for (const callbacks of this.callbacks) callbacks.onConnectionEvent('local_close', details);
  }
  /** The client goes away. */
  peerCloses(): void {
    this.state = 'closed';
    for (const callbacks of this.callbacks) callbacks.onConnectionEvent('remote_close', '');
  }
  endWrite(): void {}
}

/** A filter whose answers a test sets, and which writes down what it is told, `<name> <event>`. */
export class ScriptedFilter implements StreamDecoderFilter, StreamEncoderFilter {
  readonly name: string;
  readonly log: string[];
  decoder!: DecoderFilterCallbacks;
  encoder!: EncoderFilterCallbacks;
  onRequest: (head: RequestHead, end: boolean) => FilterHeadersStatus = () => FilterHeadersStatus.Continue;
  onRequestData: (chunk: Uint8Array, end: boolean) => FilterDataStatus = () => FilterDataStatus.Continue;
  onRequestTrailers: (trailers: HeaderMap) => FilterTrailersStatus = () => FilterTrailersStatus.Continue;
  onResponse: (head: ResponseHead, end: boolean) => FilterHeadersStatus = () => FilterHeadersStatus.Continue;
  onResponseData: (chunk: Uint8Array, end: boolean) => FilterDataStatus = () => FilterDataStatus.Continue;

  constructor(name: string, log: string[]) {
    this.name = name;
    this.log = log;
  }
  setDecoderFilterCallbacks(callbacks: DecoderFilterCallbacks): void {
    this.decoder = callbacks;
  }
  setEncoderFilterCallbacks(callbacks: EncoderFilterCallbacks): void {
    this.encoder = callbacks;
  }
  decodeHeaders(head: RequestHead, end: boolean): FilterHeadersStatus {
    this.log.push(`${this.name} head${end ? '!' : ''}`);
    return this.onRequest(head, end);
  }
  decodeData(chunk: Uint8Array, end: boolean): FilterDataStatus {
    this.log.push(`${this.name} data ${Buffer.from(chunk).toString()}${end ? '!' : ''}`);
    return this.onRequestData(chunk, end);
  }
  decodeTrailers(trailers: HeaderMap): FilterTrailersStatus {
    this.log.push(`${this.name} trailers`);
    return this.onRequestTrailers(trailers);
  }
  encodeHeaders(head: ResponseHead, end: boolean): FilterHeadersStatus {
    this.log.push(`${this.name} <head ${head.status}${end ? '!' : ''}`);
    return this.onResponse(head, end);
  }
  encodeData(chunk: Uint8Array, end: boolean): FilterDataStatus {
    this.log.push(`${this.name} <data ${Buffer.from(chunk).toString()}${end ? '!' : ''}`);
    return this.onResponseData(chunk, end);
  }
  encodeTrailers(): FilterTrailersStatus {
    this.log.push(`${this.name} <trailers`);
    return FilterTrailersStatus.Continue;
  }
  onDestroy(): void {
    this.log.push(`${this.name} gone`);
  }
}

const routerType = 'envoy.extensions.filters.http.router.v3.Router';
/** Stand-ins for scripted filters: any filter's messages do. */
const scriptedTypes = [
  'envoy.extensions.filters.http.cors.v3.Cors',
  'envoy.extensions.filters.http.buffer.v3.Buffer',
  'envoy.extensions.filters.http.csrf.v3.CsrfPolicy',
];

/** What a harness is made with. */
export interface HarnessOptions {
  /** Names of scripted filters before the terminal one. */
  readonly filters?: readonly string[];
  readonly bufferLimit?: number;
  readonly server?: Partial<ServerContext>;
}

/** A connection manager over a memory connection, on a clock that the test moves; filters are scripted. */
export class ManagerHarness {
  nowMs = 1000;
  readonly log: string[] = [];
  readonly connection: MemoryConnection = new MemoryConnection();
  readonly server: TestServerContext;
  readonly manager: ConnectionManager;
  /** The filters of the latest stream, by name; `end` is the terminal one. */
  filters: Record<string, ScriptedFilter> = {};
  /** Sets up the filters of each new stream. */
  onStream: (filters: Record<string, ScriptedFilter>) => void = () => {};
  readonly #wheel: TimerWheel;

  constructor(json: Record<string, unknown> = {}, options: HarnessOptions = {}) {
    const clock = { nowMs: () => this.nowMs, wallMs: () => 1_700_000_000_000 + this.nowMs };
    this.#wheel = new TimerWheel(clock, { at: () => {}, cancel: () => {} });
    const names = options.filters ?? [];
    const http = new Map<string, HttpFilterExtension>();
    names.forEach((name, i) => {
      http.set(scriptedTypes[i]!, this.#extension(scriptedTypes[i]!, name, false));
    });
    http.set(routerType, this.#extension(routerType, 'end', true));
    const extensions = { http, network: new Map(), listener: new Map() };
    this.server = createTestServerContext({ clock, timers: this.#wheel, extensions, ...options.server });
    const types = [...scriptedTypes.slice(0, names.length), routerType];
    const message = messageOf('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', {
      statPrefix: 'test',
      accessLog: [{ name: 'test' }],
      routeConfig: {
        virtualHosts: [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'c' } }] }],
      },
      httpFilters: types.map((type, i) => ({
        name: names[i] ?? 'end',
        typedConfig: { '@type': `type.googleapis.com/${type}` },
      })),
      ...json,
    }) as HttpConnectionManager;
    const diagnostics = new Diagnostics();
    const config = parseManagerConfig(message, this.server, this.server.stats.scope('listener.x'), diagnostics);
    diagnostics.throwIfFailed();
    this.connection.bufferLimit = options.bufferLimit ?? 0;
    this.manager = new ConnectionManager({ ...config, localAddress: '192.0.2.9' });
    const { info } = this.connection;
    const streamInfo = new StreamInfo(info, 0, 0);
    this.manager.initialize({ connection: this.connection, streamInfo, continueReading: () => {} });
    this.manager.onNewConnection();
  }

  /** Octets from the client, then the end of the turn. */
  async send(...texts: readonly string[]): Promise<void> {
    for (const text of texts) {
      this.manager.onData(Buffer.from(text, 'latin1'), false);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Moves the clock and runs what is due. */
  advance(milliseconds: number): void {
    this.nowMs += milliseconds;
    this.#wheel.run();
  }

  /** Everything written to the client. */
  get text(): string {
    return this.connection.text;
  }

  /** The terminal filter answers 200 with a body. */
  respond(body: string, ...headers: readonly string[]): void {
    const head = new ResponseHead(200, new Headers([...headers]));
    const { decoder } = this.filters['end']!;
    decoder.encodeHeaders(head, body === '', 'via_upstream');
    if (body !== '') decoder.encodeData(Buffer.from(body), true);
  }

  #extension(type: string, name: string, terminal: boolean): HttpFilterExtension {
    return {
      name,
      configType: type,
      routeConfigType: null,
      createRouteConfig: () => null,
      createFactory: () => ({
        terminal,
        createFilter: (chain: FilterChainBuilder) => {
          if (this.filters[name] !== undefined) this.filters = {};
          const filter = new ScriptedFilter(name, this.log);
          this.filters[name] = filter;
          if (terminal) chain.addDecoderFilter(filter);
          else chain.addFilter(filter);
          if (terminal) this.onStream(this.filters);
        },
      }),
    };
  }
}
