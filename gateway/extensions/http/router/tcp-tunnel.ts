import type { Connection, ConnectionCallbacks, ConnectionEvent, ConnectionSink } from '#gateway/api/connection.ts';
import type {
  Cancellable,
  Host,
  HttpPool,
  LoadBalancerContext,
  PoolCallbacks,
  PoolFailureReason,
  TcpPoolCallbacks,
  UpstreamCluster,
} from '#gateway/api/upstream.ts';
import { EncodeStatus, type RequestEncoder, type ResponseDecoder } from '#gateway/protocol/codec.ts';
import { ResponseHead } from '#gateway/protocol/headers/message-head.ts';

const noBytes = new Uint8Array(0);

/** A CONNECT that ends here (`connect_config`): each stream is a TCP connection of its own. */
export class TcpTunnelPool implements HttpPool {
  readonly host: Host;
  readonly #cluster: UpstreamCluster;
  readonly #context: LoadBalancerContext;

  constructor(cluster: UpstreamCluster, context: LoadBalancerContext, host: Host) {
    this.#cluster = cluster;
    this.#context = context;
    this.host = host;
  }

  newStream(decoder: ResponseDecoder, callbacks: PoolCallbacks): Cancellable | null {
    const { host } = this;
    return this.#cluster.tcpConnection(this.#context, new TunnelOpening(host, decoder, callbacks));
  }
}

class TunnelOpening implements TcpPoolCallbacks {
  readonly #host: Host;
  readonly #decoder: ResponseDecoder;
  readonly #callbacks: PoolCallbacks;

  constructor(host: Host, decoder: ResponseDecoder, callbacks: PoolCallbacks) {
    this.#host = host;
    this.#decoder = decoder;
    this.#callbacks = callbacks;
  }

  onTcpReady(connection: Connection, host: Host): void {
    const tunnel = new TcpTunnel(connection, this.#decoder);
    this.#callbacks.onPoolReady(tunnel, host, connection.info, 'HTTP/1.1');
    tunnel.open();
  }

  onTcpFailure(reason: PoolFailureReason, details: string, host: Host | null): void {
    this.#callbacks.onPoolFailure(reason, details, host ?? this.#host);
  }
}

/** A TCP connection in the guise of an HTTP stream: the head is answered with 200, body is octets. RFC 9110 section 9.3.6. */
class TcpTunnel implements RequestEncoder, ConnectionSink, ConnectionCallbacks {
  readonly streamId = 0;
  readonly #connection: Connection;
  readonly #decoder: ResponseDecoder;
  #ended = false;
  #remoteEnded = false;
  #localEnded = false;

  constructor(connection: Connection, decoder: ResponseDecoder) {
    this.#connection = connection;
    this.#decoder = decoder;
    connection.addCallbacks(this);
  }

  get bufferedOctets(): number {
    return this.#connection.unsentOctets;
  }
  get wireOctetsReceived(): number {
    return this.#connection.octetsReceived;
  }
  get wireOctetsSent(): number {
    return this.#connection.octetsSent;
  }

  /** The tunnel stands: answers 200 and lets octets flow. */
  open(): void {
    if (this.#ended) return;
    this.#decoder.decodeHeaders(new ResponseHead(200), false);
    if (!this.#ended) this.#connection.setSink(this);
  }

  encodeHeaders(): EncodeStatus {
    return EncodeStatus.Ok;
  }

  encodeData(chunk: Uint8Array, endStream: boolean): void {
    if (this.#ended) return;
    this.#connection.output.writeChunk(chunk);
    if (endStream) this.encodeTrailers();
  }

  encodeTrailers(): void {
    this.#localEnded = true;
    if (this.#remoteEnded) this.#close('flush');
    else this.#connection.endWrite();
  }

  resetStream(): void {
    this.#close('abort');
  }

  readDisable(disable: boolean): void {
    if (!this.#ended) this.#connection.readDisable(disable);
  }

  onData(chunk: Uint8Array): void {
    this.#decoder.decodeData(chunk, false);
  }

  onRemoteEnd(): void {
    this.#remoteEnded = true;
    this.#decoder.decodeData(noBytes, true);
    if (this.#localEnded) this.#close('flush');
  }

  onConnectionEvent(event: ConnectionEvent, details: string): void {
    if (event === 'connected' || this.#ended) return;
    this.#ended = true;
    if (!this.#remoteEnded) this.#decoder.onResetStream('connection_termination', details);
  }

  onAboveWriteBufferHighWatermark(): void {
    if (!this.#ended) this.#decoder.onAboveWriteBufferHighWatermark();
  }

  onBelowWriteBufferLowWatermark(): void {
    if (!this.#ended) this.#decoder.onBelowWriteBufferLowWatermark();
  }

  #close(kind: 'flush' | 'abort'): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#connection.close(kind);
  }
}
