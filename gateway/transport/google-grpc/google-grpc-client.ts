import { Buffer } from 'node:buffer';
import type * as Grpc from '@grpc/grpc-js';
import type {
  GrpcAsyncClient,
  GrpcStream,
  GrpcStreamCallbacks,
  GrpcUnaryCallbacks,
} from '#gateway/api/async-client.ts';
import type { ServerContext } from '#gateway/api/context.ts';
import type { Cancellable } from '#gateway/api/upstream.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { headerValueText } from '#gateway/config/header-value.ts';
import { GrpcStatus } from '#gateway/protocol/grpc/status.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { GrpcService } from '#proto-types/envoy/config/core/v3/grpc_service_pb.ts';

type GrpcModule = typeof Grpc;

/** What a google_grpc service needs, read once. */
export interface GoogleGrpcTarget {
  readonly targetUri: string;
  /** Null: without TLS (no credentials, or local ones). */
  readonly tls: {
    readonly roots: Uint8Array | null;
    readonly key: Uint8Array | null;
    readonly chain: Uint8Array | null;
  } | null;
  /** Names and values in turn. */
  readonly initialMetadata: readonly string[];
}

/** Reads the google_grpc part of a GrpcService; null, with the reason in `diagnostics`, when it cannot be used. */
export function readGoogleGrpc(
  config: GrpcService,
  server: Pick<ServerContext, 'readDataSource'>,
  diagnostics: Diagnostics,
): GoogleGrpcTarget | null {
  const specifier = config.targetSpecifier;
  if (specifier.case !== 'googleGrpc') return null;
  const { targetUri, channelCredentials } = specifier.value;
  const at = diagnostics.at('google_grpc.channel_credentials');
  const credentials = channelCredentials?.credentialSpecifier;
  const initialMetadata = config.initialMetadata.flatMap((header) => [
    header.key.toLowerCase(),
    headerValueText(header),
  ]);
  if (credentials?.case === 'sslCredentials') {
    const { rootCerts, privateKey, certChain } = credentials.value;
    const ssl = at.at('ssl_credentials');
    const read = (source: typeof rootCerts, field: string): Uint8Array | null =>
      source === undefined ? null : server.readDataSource(source, ssl.at(field));
    const tls = {
      roots: read(rootCerts, 'root_certs'),
      key: read(privateKey, 'private_key'),
      chain: read(certChain, 'cert_chain'),
    };
    return { targetUri, tls, initialMetadata };
  }
  if (credentials?.case === 'googleDefault') {
    at.error('google_default', 'is not supported yet');
    return null;
  }
  // None at all, or `localCredentials`: plain text, which Envoy allows on this host only.
  return { targetUri, tls: null, initialMetadata };
}

let loading: Promise<GrpcModule> | null = null;

// Loaded when the first google_grpc service is used, and only then.
function loadGrpc(): Promise<GrpcModule> {
  loading ??= import('@grpc/grpc-js');
  return loading;
}

const passThrough = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const keep = (bytes: Buffer): Uint8Array => bytes;

/** google_grpc: gRPC by the library's own channel, outside the clusters, for SDS services and the like. */
export class GoogleGrpcClient implements GrpcAsyncClient {
  readonly #target: GoogleGrpcTarget;
  readonly #clock: Clock;
  #client: Grpc.Client | null = null;

  constructor(target: GoogleGrpcTarget, clock: Clock) {
    this.#target = target;
    this.#clock = clock;
  }

  unary(
    method: string,
    message: Uint8Array,
    timeoutMs: number,
    metadata: HeaderMap | null,
    callbacks: GrpcUnaryCallbacks,
  ): Cancellable {
    let call: Grpc.ClientUnaryCall | null = null;
    let cancelled = false;
    this.#open()
      .then(({ grpc, client }) => {
        if (cancelled) return;
        const options = timeoutMs > 0 ? { deadline: this.#clock.wallMs() + timeoutMs } : {};
        const sent = this.#metadata(grpc, metadata);
        call = client.makeUnaryRequest(method, passThrough, keep, message, sent, options, (error, answer) => {
          if (cancelled) return;
          if (error !== null) callbacks.onFailure(error.code, error.details);
          else callbacks.onSuccess(answer ?? new Uint8Array(0));
        });
      })
      .catch((error: Error) => {
        if (!cancelled) callbacks.onFailure(GrpcStatus.Unavailable, error.message);
      });
    return {
      cancel(): void {
        cancelled = true;
        call?.cancel();
      },
    };
  }

  stream(method: string, metadata: HeaderMap | null, callbacks: GrpcStreamCallbacks): GrpcStream {
    const stream = new LibraryStream(callbacks);
    this.#open()
      .then(({ grpc, client }) => {
        stream.attach(client.makeBidiStreamRequest(method, passThrough, keep, this.#metadata(grpc, metadata)));
      })
      .catch((error: Error) => stream.closed(GrpcStatus.Unavailable, error.message));
    return stream;
  }

  async #open(): Promise<{ grpc: GrpcModule; client: Grpc.Client }> {
    const grpc = await loadGrpc();
    if (this.#client === null) {
      const { targetUri, tls } = this.#target;
      const buffer = (bytes: Uint8Array | null): Buffer | null => (bytes === null ? null : passThrough(bytes));
      const credentials =
        tls === null
          ? grpc.credentials.createInsecure()
          : grpc.credentials.createSsl(buffer(tls.roots), buffer(tls.key), buffer(tls.chain));
      this.#client = new grpc.Client(targetUri, credentials);
    }
    return { grpc, client: this.#client };
  }

  #metadata(grpc: GrpcModule, more: HeaderMap | null): Grpc.Metadata {
    const metadata = new grpc.Metadata();
    const { initialMetadata } = this.#target;
    const entries = more === null ? initialMetadata : [...initialMetadata, ...more.entries];
    for (let i = 0; i + 1 < entries.length; i += 2) metadata.add(entries[i]!, entries[i + 1]!);
    return metadata;
  }
}

/** One stream; what is sent before the library is loaded waits. */
class LibraryStream implements GrpcStream {
  readonly #callbacks: GrpcStreamCallbacks;
  #call: Grpc.ClientDuplexStream<Uint8Array, Uint8Array> | null = null;
  #waiting: Uint8Array[] = [];
  #ended = false;
  #done = false;

  constructor(callbacks: GrpcStreamCallbacks) {
    this.#callbacks = callbacks;
  }

  attach(call: Grpc.ClientDuplexStream<Uint8Array, Uint8Array>): void {
    if (this.#done) {
      call.cancel();
      return;
    }
    this.#call = call;
    call.on('data', (message: Uint8Array) => {
      if (!this.#done) this.#callbacks.onMessage(message);
    });
    call.on('error', () => {}); // `status` tells the same
    call.on('status', (status: Grpc.StatusObject) => this.closed(status.code, status.details));
    for (const message of this.#waiting) call.write(message);
    this.#waiting = [];
    if (this.#ended) call.end();
  }

  closed(status: number, message: string): void {
    if (this.#done) return;
    this.#done = true;
    this.#callbacks.onClose(status, message);
  }

  send(message: Uint8Array): void {
    if (this.#done || this.#ended) return;
    if (this.#call === null) this.#waiting.push(message);
    else this.#call.write(message);
  }

  endWrite(): void {
    this.#ended = true;
    this.#call?.end();
  }

  reset(): void {
    this.#done = true;
    this.#call?.cancel();
  }
}
