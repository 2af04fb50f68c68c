import { Buffer } from 'node:buffer';
import type { Connection, ConnectionCallbacks, ConnectionEvent, ConnectionSink } from '#gateway/api/connection.ts';
import {
  type ClientCodec,
  type ClientCodecCallbacks,
  DispatchStatus,
  EncodeStatus,
  type RequestEncoder,
  type ResponseDecoder,
} from '#gateway/protocol/codec.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { Probe, ProbeListener, ProbeResult } from './probe.ts';
import type { ProbeExchange } from './probe-exchange.ts';

const maxBodyOctets = 64 * 1024;

/** Makes a connection and the codec on it. */
export interface ProbeConnector {
  connect(): Connection;
  codec(connection: Connection, callbacks: ClientCodecCallbacks): ClientCodec;
}

/** Sends a request and judges the answer; keeps the connection for the next check if told so. */
export class HttpProbe implements Probe, ConnectionCallbacks, ConnectionSink, ClientCodecCallbacks, ResponseDecoder {
  readonly #exchange: ProbeExchange;
  readonly #reuse: boolean;
  readonly #connector: ProbeConnector;
  readonly #listener: ProbeListener;
  #connection: Connection | null = null;
  #codec: ClientCodec | null = null;
  #running = false;
  #head: ResponseHead | null = null;
  #body = '';

  constructor(exchange: ProbeExchange, reuse: boolean, connector: ProbeConnector, listener: ProbeListener) {
    this.#exchange = exchange;
    this.#reuse = reuse;
    this.#connector = connector;
    this.#listener = listener;
  }

  start(): void {
    this.#running = true;
    this.#head = null;
    this.#body = '';
    if (this.#codec !== null) {
      this.#send(this.#codec);
      return;
    }
    this.#connection = this.#connector.connect();
    this.#connection.addCallbacks(this);
  }

  abort(): void {
    this.#running = false;
    this.close();
  }

  close(): void {
    this.#running = false;
    this.#drop();
  }

  onConnectionEvent(event: ConnectionEvent, details: string): void {
    const connection = this.#connection;
    if (connection === null) return;
    if (event === 'connected') {
      this.#codec = this.#connector.codec(connection, this);
      connection.setSink(this);
      this.#send(this.#codec);
      return;
    }
    const codec = this.#codec;
    this.#connection = null;
    this.#codec = null;
    codec?.onConnectionClosed('connection_termination', details);
    this.#finish('network');
  }

  onData(chunk: Uint8Array): void {
    if (this.#codec === null || this.#codec.dispatch(chunk) === DispatchStatus.Ok) return;
    this.#drop();
    this.#finish('network');
  }

  onRemoteEnd(): void {
    this.#codec?.onRemoteClose();
    this.#drop();
    this.#finish('network');
  }

  onStreamClosed(_encoder: RequestEncoder, reusable: boolean): void {
    if (!reusable || !this.#reuse) this.#drop();
  }

  onMaxConcurrentStreams(): void {}
  onGoAway(): void {
    if (!this.#running) this.#drop();
  }
  onPingAck(): void {}

  decodeInformational(): void {}

  decodeHeaders(head: ResponseHead, endStream: boolean): void {
    this.#head = head;
    if (endStream) this.#judge(null);
  }

  decodeData(chunk: Uint8Array, endStream: boolean): void {
    if (this.#body.length < maxBodyOctets) this.#body += Buffer.from(chunk).toString('latin1');
    if (endStream) this.#judge(null);
  }

  decodeTrailers(trailers: HeaderMap): void {
    this.#judge(trailers);
  }

  onResetStream(): void {
    this.#finish('network');
  }

  onAboveWriteBufferHighWatermark(): void {}
  onBelowWriteBufferLowWatermark(): void {}

  #send(codec: ClientCodec): void {
    const { body } = this.#exchange;
    const encoder = codec.newStream(this);
    if (encoder.encodeHeaders(this.#exchange.requestHead(), body === null) !== EncodeStatus.Ok) this.#finish('network');
    else if (body !== null) encoder.encodeData(body, true);
  }

  #judge(trailers: HeaderMap | null): void {
    const head = this.#head!;
    this.#finish(this.#exchange.judge(head, this.#body, trailers), head.status);
  }

  #finish(result: ProbeResult, httpStatus = 0): void {
    if (!this.#running) return;
    this.#running = false;
    this.#listener.onProbeResult(result, httpStatus);
  }

  #drop(): void {
    const connection = this.#connection;
    this.#connection = null;
    this.#codec = null;
    connection?.close('flush', 'health_check');
  }
}
