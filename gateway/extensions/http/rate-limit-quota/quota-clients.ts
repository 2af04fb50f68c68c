import type { GrpcAsyncClient } from '#gateway/api/async-client.ts';
import type { ServerContext } from '#gateway/api/context.ts';
import { QuotaClient } from './quota-client.ts';

interface SharedClient {
  readonly client: QuotaClient;
  users: number;
}

// A server's clients by service and domain: filters of several listeners, and the old and the new version of a listener that
// is replaced, count in the same buckets.
const sharedClients = new WeakMap<ServerContext, Map<string, SharedClient>>();

/** The clients that one filter configuration uses: one for each domain, made when first needed, shared with other filters. */
export class QuotaClients {
  readonly #service: string;
  readonly #grpc: GrpcAsyncClient;
  readonly #server: ServerContext;
  readonly #used = new Map<string, QuotaClient>();

  /** `service` names the service: filters that name it alike share clients. */
  constructor(service: string, grpc: GrpcAsyncClient, server: ServerContext) {
    this.#service = service;
    this.#grpc = grpc;
    this.#server = server;
  }

  get(domain: string): QuotaClient {
    let client = this.#used.get(domain);
    if (client === undefined) {
      client = this.#share(domain);
      this.#used.set(domain, client);
    }
    return client;
  }

  /** Gives its clients up; those that nobody else uses end. */
  close(): void {
    const all = sharedClients.get(this.#server);
    for (const domain of this.#used.keys()) {
      const key = this.#keyOf(domain);
      const shared = all?.get(key);
      if (shared === undefined || --shared.users > 0) continue;
      shared.client.close();
      all!.delete(key);
    }
    this.#used.clear();
  }

  #share(domain: string): QuotaClient {
    let all = sharedClients.get(this.#server);
    if (all === undefined) {
      all = new Map();
      sharedClients.set(this.#server, all);
    }
    const key = this.#keyOf(domain);
    let shared = all.get(key);
    if (shared === undefined) {
      shared = { client: new QuotaClient(domain, this.#grpc, this.#server), users: 0 };
      all.set(key, shared);
    }
    shared.users++;
    return shared.client;
  }

  #keyOf(domain: string): string {
    return `${this.#service}\n${domain}`;
  }
}
