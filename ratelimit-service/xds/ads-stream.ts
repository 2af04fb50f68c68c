import { Buffer } from 'node:buffer';
import type * as Grpc from '@grpc/grpc-js';
import type { XdsSettings } from '../config/settings-xds.ts';
import { readXdsTls } from './xds-tls.ts';

/** The client library, which is loaded only when a management server is used. */
export type GrpcModule = typeof Grpc;

/** A server that is gone without a word is noticed after this long; servers in Go end connections that ask more often. */
const keepaliveMs = 330_000;

const method = '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources';

/** Told what happens on a stream. */
export interface AdsStreamCallbacks {
  /** One DiscoveryResponse, encoded. */
  onMessage(message: Uint8Array): void;
  /** The stream has ended, or never began. Nothing follows. */
  onClosed(reason: string): void;
}

/** One connection to a management server with one stream on it. */
export class AdsStream {
  readonly #client: Grpc.Client;
  readonly #call: Grpc.ClientDuplexStream<Uint8Array, Uint8Array>;
  readonly #callbacks: AdsStreamCallbacks;
  #closed = false;

  /**
   * Connects and opens the stream; until the server is there the library tries again, about every
   * CONFIG_GRPC_XDS_SERVER_CONNECT_RETRY_INTERVAL. Throws when the TLS files cannot be used.
   */
  constructor(grpc: GrpcModule, settings: XdsSettings, callbacks: AdsStreamCallbacks) {
    this.#callbacks = callbacks;
    this.#client = new grpc.Client(
      settings.CONFIG_GRPC_XDS_SERVER_URL,
      credentials(grpc, settings),
      channelOptions(settings),
    );
    this.#call = this.#client.makeBidiStreamRequest(method, toBuffer, keep, callMetadata(grpc, settings));
    this.#call.on('data', (message: Uint8Array) => {
      if (!this.#closed) callbacks.onMessage(message);
    });
    this.#call.on('error', () => {}); // `status` tells the same
    this.#call.on('status', (status: Grpc.StatusObject) => this.#end(`${grpc.status[status.code]}: ${status.details}`));
  }

  /** Sends one DiscoveryRequest. */
  send(message: Uint8Array): void {
    if (!this.#closed) this.#call.write(message);
  }

  /** Ends the stream and the connection; nothing is told any more. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#call.cancel();
    this.#client.close();
  }

  #end(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#client.close();
    this.#callbacks.onClosed(reason);
  }
}

const toBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const keep = (bytes: Buffer): Uint8Array => bytes;

function credentials(grpc: GrpcModule, settings: XdsSettings): Grpc.ChannelCredentials {
  const tls = readXdsTls(settings);
  return tls === null ? grpc.credentials.createInsecure() : grpc.credentials.createSsl(tls.roots, tls.key, tls.chain);
}

function channelOptions(settings: XdsSettings): Grpc.ChannelOptions {
  const retryMs = Math.max(100, settings.CONFIG_GRPC_XDS_SERVER_CONNECT_RETRY_INTERVAL);
  const maxOctets = settings.XDS_CLIENT_MAX_MSG_SIZE_IN_BYTES;
  const san = settings.CONFIG_GRPC_XDS_SERVER_TLS_SAN;
  return {
    'grpc.enable_http_proxy': 0, // the environment has no say in where rules come from
    'grpc.use_local_subchannel_pool': 1, // a new attempt is a new connection
    'grpc.keepalive_time_ms': keepaliveMs,
    'grpc.keepalive_timeout_ms': 20_000,
    'grpc.initial_reconnect_backoff_ms': retryMs,
    'grpc.max_reconnect_backoff_ms': retryMs,
    ...(maxOctets === 0 ? {} : { 'grpc.max_receive_message_length': maxOctets }),
    ...(san === '' ? {} : { 'grpc.ssl_target_name_override': san, 'grpc.default_authority': san }),
  };
}

/** Throws when a header's name or value cannot be sent. */
export function callMetadata(grpc: GrpcModule, settings: XdsSettings): Grpc.Metadata {
  const metadata = new grpc.Metadata({ waitForReady: true });
  for (const [name, value] of settings.CONFIG_GRPC_XDS_CLIENT_ADDITIONAL_HEADERS) {
    try {
      metadata.add(name, value);
    } catch (error) {
      throw new Error(`CONFIG_GRPC_XDS_CLIENT_ADDITIONAL_HEADERS: ${(error as Error).message}`);
    }
  }
  return metadata;
}
