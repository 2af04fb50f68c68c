import { Buffer } from 'node:buffer';
import { OutputBuffer } from '#gateway/base/output-buffer.ts';
import type {
  ClientCodecCallbacks,
  RequestDecoder,
  RequestEncoder,
  ResetReason,
  ResponseDecoder,
  ResponseEncoder,
  ServerCodecCallbacks,
} from '#gateway/protocol/codec.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { HeaderMap as Headers } from '#gateway/protocol/headers/header-map.ts';
import { type RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { Http1ClientCodec } from '#gateway/protocol/http1/http1-client-codec.ts';
import type { Http1Connection } from '#gateway/protocol/http1/http1-codec.ts';
import { defaultHttp1Options, type Http1Options } from '#gateway/protocol/http1/http1-options.ts';
import { Http1ServerCodec } from '#gateway/protocol/http1/http1-server-codec.ts';
import type { TurnTask } from '#gateway/runtime/turn.ts';

/** Octets of a latin-1 text. */
export function octets(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

/** A connection without a socket: what the codec writes is taken as text; turns end when the test says so. */
export class FakeConnection implements Http1Connection {
  readonly output: OutputBuffer = new OutputBuffer({ onOutputPending() {} });
  disabled = 0;
  writeEnded = false;
  readonly tasks: TurnTask[] = [];

  readDisable(disable: boolean): void {
    this.disabled += disable ? 1 : -1;
  }

  endWrite(): void {
    this.writeEnded = true;
  }

  /** What was written since the last call. */
  takeText(): string {
    return Buffer.concat(this.output.take()).toString('latin1');
  }

  /** Runs what codecs put off, until nothing is left. */
  endTurn(): void {
    for (let task = this.tasks.shift(); task !== undefined; task = this.tasks.shift()) task.onTurnEnd();
  }

  options(options: Partial<Http1Options>): Http1Options {
    return { ...defaultHttp1Options, ...options, atTurnEnd: (task) => this.tasks.push(task) };
  }
}

function describeHeaders(headers: HeaderMap): string {
  let text = '';
  for (let i = 0; i < headers.entries.length; i += 2) text += ` ${headers.entries[i]}=${headers.entries[i + 1]};`;
  return text;
}

/** Joins neighbouring data events, so that a message in pieces reads like one in one piece. */
export class EventLog {
  readonly events: string[] = [];
  #data = '';
  #dataOwner = '';

  add(owner: string, event: string): void {
    this.flush();
    this.events.push(`${owner} ${event}`);
  }

  data(owner: string, chunk: Uint8Array, endStream: boolean): void {
    if (owner !== this.#dataOwner) this.flush();
    this.#dataOwner = owner;
    this.#data += Buffer.from(chunk).toString('latin1');
    if (endStream) {
      this.flush();
      this.events.push(`${owner} end`);
    }
  }

  flush(): void {
    if (this.#data !== '') this.events.push(`${this.#dataOwner} data ${JSON.stringify(this.#data)}`);
    this.#data = '';
  }

  take(): string[] {
    this.flush();
    return this.events.splice(0);
  }
}

/** One request as a server sees it, recorded. */
export class RecordedRequest implements RequestDecoder {
  readonly encoder: ResponseEncoder;
  readonly #log: EventLog;
  readonly #owner: ServerUnderTest;
  head: RequestHead | null = null;

  constructor(owner: ServerUnderTest, encoder: ResponseEncoder, log: EventLog) {
    this.#owner = owner;
    this.encoder = encoder;
    this.#log = log;
  }

  get #name(): string {
    return `#${this.encoder.streamId}`;
  }

  decodeHeaders(head: RequestHead, endStream: boolean): void {
    this.head = head;
    const { method, path, authority, scheme } = head;
    const where = `${scheme === '' ? '' : `${scheme}://`}${authority}`;
    const line = `${method} ${path} @${where}${describeHeaders(head.headers)}`;
    this.#log.add(this.#name, endStream ? `${line} END` : line);
    if (endStream) this.#owner.onRequestEnd(this);
    else this.#owner.onRequestHead(this);
  }

  decodeData(chunk: Uint8Array, endStream: boolean): void {
    this.#log.data(this.#name, chunk, endStream);
    if (endStream) this.#owner.onRequestEnd(this);
  }

  decodeTrailers(trailers: HeaderMap): void {
    this.#log.add(this.#name, `trailers${describeHeaders(trailers)}`);
    this.#owner.onRequestEnd(this);
  }

  onBadRequest(status: number, details: string): void {
    this.#log.add(this.#name, `bad ${status} ${details}`);
    this.reply(status, [], '');
  }

  onResetStream(reason: ResetReason, details: string): void {
    this.#log.add(this.#name, `reset ${reason} ${details}`);
  }

  onAboveWriteBufferHighWatermark(): void {
    this.#log.add(this.#name, 'above');
  }

  onBelowWriteBufferLowWatermark(): void {
    this.#log.add(this.#name, 'below');
  }

  /** Sends a whole response. */
  reply(status: number, entries: string[] = [], body = ''): void {
    const head = new ResponseHead(status, new Headers(entries));
    this.encoder.encodeHeaders(head, body === '');
    if (body !== '') this.encoder.encodeData(octets(body), true);
  }
}

/** A server codec on a fake connection. `auto` answers each complete request with 200 at once. */
export class ServerUnderTest implements ServerCodecCallbacks {
  readonly connection: FakeConnection = new FakeConnection();
  readonly log: EventLog = new EventLog();
  readonly codec: Http1ServerCodec;
  readonly requests: RecordedRequest[] = [];
  readonly #auto: boolean;
  /** Last status of `dispatch` that was not 0. */
  status = 0;

  constructor(options: Partial<Http1Options> = {}, auto = false) {
    this.#auto = auto;
    this.codec = new Http1ServerCodec(this.connection, this, this.connection.options(options));
  }

  newStream(encoder: ResponseEncoder): RequestDecoder {
    const request = new RecordedRequest(this, encoder, this.log);
    this.requests.push(request);
    return request;
  }

  onStreamComplete(encoder: ResponseEncoder): void {
    this.log.add(`#${encoder.streamId}`, this.codec.closing ? 'complete, closing' : 'complete');
  }

  onGoAway(): void {}
  onPingAck(): void {}

  onRequestHead(_request: RecordedRequest): void {}

  onRequestEnd(request: RecordedRequest): void {
    if (this.#auto) request.reply(200, [], 'ok');
  }

  /** Feeds a text in pieces of `pieceOctets` (0: whole). */
  feed(text: string, pieceOctets = 0): this {
    for (const piece of pieces(text, pieceOctets)) {
      const status = this.codec.dispatch(piece);
      if (status !== 0) this.status = status;
      this.connection.endTurn();
    }
    return this;
  }

  get last(): RecordedRequest {
    return this.requests[this.requests.length - 1]!;
  }
}

/** One response as a client sees it, recorded. */
export class RecordedResponse implements ResponseDecoder {
  encoder: RequestEncoder | null = null;
  readonly #log: EventLog;

  constructor(log: EventLog) {
    this.#log = log;
  }

  get #name(): string {
    return `#${this.encoder!.streamId}`;
  }

  decodeInformational(head: ResponseHead): void {
    this.#log.add(this.#name, `interim ${head.status}${describeHeaders(head.headers)}`);
  }

  decodeHeaders(head: ResponseHead, endStream: boolean): void {
    const line = `${head.status}${describeHeaders(head.headers)}`;
    this.#log.add(this.#name, endStream ? `${line} END` : line);
  }

  decodeData(chunk: Uint8Array, endStream: boolean): void {
    this.#log.data(this.#name, chunk, endStream);
  }

  decodeTrailers(trailers: HeaderMap): void {
    this.#log.add(this.#name, `trailers${describeHeaders(trailers)}`);
  }

  onResetStream(reason: ResetReason, details: string): void {
    this.#log.add(this.#name, `reset ${reason} ${details}`);
  }

  onAboveWriteBufferHighWatermark(): void {
    this.#log.add(this.#name, 'above');
  }

  onBelowWriteBufferLowWatermark(): void {
    this.#log.add(this.#name, 'below');
  }
}

/** A client codec on a fake connection. */
export class ClientUnderTest implements ClientCodecCallbacks {
  readonly connection: FakeConnection = new FakeConnection();
  readonly log: EventLog = new EventLog();
  readonly codec: Http1ClientCodec;
  status = 0;

  constructor(options: Partial<Http1Options> = {}) {
    this.codec = new Http1ClientCodec(this.connection, this, this.connection.options(options));
  }

  onStreamClosed(encoder: RequestEncoder, reusable: boolean): void {
    this.log.add(`#${encoder.streamId}`, reusable ? 'closed, reusable' : 'closed');
  }

  onMaxConcurrentStreams(): void {}
  onGoAway(): void {}
  onPingAck(): void {}

  /** Starts a stream; the request is the caller's to encode. */
  start(): RequestEncoder {
    const response = new RecordedResponse(this.log);
    response.encoder = this.codec.newStream(response);
    return response.encoder;
  }

  /** Sends a request without a body. */
  request(head: RequestHead): RequestEncoder {
    const encoder = this.start();
    encoder.encodeHeaders(head, true);
    return encoder;
  }

  feed(text: string, pieceOctets = 0): this {
    for (const piece of pieces(text, pieceOctets)) {
      const status = this.codec.dispatch(piece);
      if (status !== 0) this.status = status;
      this.connection.endTurn();
    }
    return this;
  }
}

/** The text in pieces of `pieceOctets`; 0: as it is. */
export function pieces(text: string, pieceOctets: number): Uint8Array[] {
  const all = octets(text);
  if (pieceOctets === 0) return [all];
  const list: Uint8Array[] = [];
  for (let at = 0; at < all.length; at += pieceOctets) list.push(all.slice(at, at + pieceOctets));
  return list;
}

/** The ways every literal test is fed: whole, octet by octet, and in threes, which splits CRLF pairs unevenly. */
export const feedings: readonly number[] = [0, 1, 3];
