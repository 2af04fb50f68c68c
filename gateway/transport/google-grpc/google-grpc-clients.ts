import { Buffer } from 'node:buffer';
import type { ServerContext } from '#gateway/api/context.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { encodeMessage } from '#gateway/proto/registry.ts';
import type { GrpcService } from '#proto-types/envoy/config/core/v3/grpc_service_pb.ts';
import { GoogleGrpcClient } from './google-grpc-client.ts';
import { readGoogleGrpc } from './read-google-grpc.ts';

/** The clients of google_grpc services: equal configurations share one, and with it its connections. */
export class GoogleGrpcClients {
  readonly #server: Pick<ServerContext, 'readDataSource' | 'clock' | 'stats'>;
  readonly #clients = new Map<string, GoogleGrpcClient>();

  constructor(server: Pick<ServerContext, 'readDataSource' | 'clock' | 'stats'>) {
    this.#server = server;
  }

  /** The client of a GrpcService with `google_grpc`; null, with the reason in `diagnostics`, when it cannot be used. */
  get(config: GrpcService, diagnostics: Diagnostics): GoogleGrpcClient | null {
    const key = Buffer.from(encodeMessage(config)).toString('base64');
    const known = this.#clients.get(key);
    if (known !== undefined) return known;
    const target = readGoogleGrpc(config, this.#server, diagnostics);
    if (target === null) return null;
    const client = new GoogleGrpcClient(target, this.#server.clock, this.#server.stats);
    this.#clients.set(key, client);
    return client;
  }

  /** Closes all channels. */
  close(): void {
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
  }
}
