import { OutputBuffer } from '#gateway/base/output-buffer.ts';
import type {
  ClientCodecCallbacks,
  CodecConnection,
  RequestDecoder,
  RequestEncoder,
  ResetReason,
  ResponseDecoder,
  ResponseEncoder,
  ServerCodecCallbacks,
} from '#gateway/protocol/codec.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';

/** An output that nobody flushes until the test takes it. */
export class TestConnection implements CodecConnection {
  readonly output: OutputBuffer = new OutputBuffer({ onOutputPending() {} });

  readDisable(): void {}

  /** Everything written since the last call. */
  take(): Buffer {
    return Buffer.concat(this.output.take());
  }
}

function fields(headers: HeaderMap): string {
  const parts: string[] = [];
  for (let i = 0; i < headers.entries.length; i += 2) parts.push(`${headers.entries[i]}: ${headers.entries[i + 1]}`);
  return parts.length === 0 ? '' : ` {${parts.join(', ')}}`;
}

/** Writes down, in order, what a codec tells one stream. Pieces of data that follow each other count as one. */
class StreamRecorder {
  readonly events: string[];
  readonly label: string;
  #data = -1; // where in `events` the data under way is

  constructor(events: string[], label: string) {
    this.events = events;
    this.label = label;
  }

  protected log(text: string): void {
    this.events.push(`${this.label}${text}`);
    this.#data = -1;
  }

  decodeData(chunk: Uint8Array, endStream: boolean): void {
    const text = Buffer.from(chunk).toString('latin1');
    if (this.#data >= 0 && this.#data === this.events.length - 1) {
      this.events[this.#data] += text;
    } else if (text !== '') {
      this.events.push(`${this.label}data ${text}`);
      this.#data = this.events.length - 1;
    }
    if (endStream) this.log('end');
  }

  decodeTrailers(trailers: HeaderMap): void {
    this.log(`trailers${fields(trailers)}`);
  }

  onResetStream(reason: ResetReason, details: string): void {
    this.log(`reset ${reason} ${details}`);
  }

  onAboveWriteBufferHighWatermark(): void {
    this.log('above');
  }

  onBelowWriteBufferLowWatermark(): void {
    this.log('below');
  }
}

/** What a test may do when a request's head has come. */
export type OnRequest = (encoder: ResponseEncoder, head: RequestHead, endStream: boolean) => void;

class RequestRecorder extends StreamRecorder implements RequestDecoder {
  readonly #encoder: ResponseEncoder;
  readonly #onRequest: OnRequest;

  constructor(events: string[], encoder: ResponseEncoder, onRequest: OnRequest) {
    super(events, `${encoder.streamId} `);
    this.#encoder = encoder;
    this.#onRequest = onRequest;
  }

  decodeHeaders(head: RequestHead, endStream: boolean): void {
    const target = `${head.scheme}://${head.authority}${head.path}`;
    this.log(`${head.method} ${target}${fields(head.headers)}${endStream ? ' end' : ''}`);
    this.#onRequest(this.#encoder, head, endStream);
  }

  onBadRequest(status: number, details: string): void {
    this.log(`bad ${status} ${details}`);
  }
}

/** Owner of a server codec that writes down everything. */
export class ServerRecorder implements ServerCodecCallbacks {
  readonly events: string[] = [];
  readonly encoders: ResponseEncoder[] = [];
  onRequest: OnRequest = () => {};

  newStream(encoder: ResponseEncoder): RequestDecoder {
    this.encoders.push(encoder);
    return new RequestRecorder(this.events, encoder, (...args) => this.onRequest(...args));
  }

  onStreamComplete(encoder: ResponseEncoder): void {
    this.events.push(`${encoder.streamId} complete`);
  }

  onGoAway(code: number): void {
    this.events.push(`goaway ${code}`);
  }

  onPingAck(): void {
    this.events.push('ping ack');
  }

  /** Hands over the events so far. */
  take(): string[] {
    return this.events.splice(0);
  }
}

/** A response that writes itself down. */
export class ResponseRecorder extends StreamRecorder implements ResponseDecoder {
  decodeInformational(head: ResponseHead): void {
    this.log(`interim ${head.status}${fields(head.headers)}`);
  }

  decodeHeaders(head: ResponseHead, endStream: boolean): void {
    this.log(`${head.status}${fields(head.headers)}${endStream ? ' end' : ''}`);
  }
}

/** Owner of a client codec that writes down everything. */
export class ClientRecorder implements ClientCodecCallbacks {
  readonly events: string[] = [];

  onStreamClosed(encoder: RequestEncoder, reusable: boolean): void {
    this.events.push(`${encoder.streamId} closed${reusable ? '' : ' last'}`);
  }

  onMaxConcurrentStreams(streams: number): void {
    this.events.push(`max ${streams}`);
  }

  onGoAway(code: number, lastStreamId: number): void {
    this.events.push(`goaway ${code} ${lastStreamId}`);
  }

  onPingAck(): void {
    this.events.push('ping ack');
  }

  take(): string[] {
    return this.events.splice(0);
  }
}
