import type { Cancellable } from '#gateway/api/upstream.ts';

/** Addresses found for a name. */
export interface DnsAnswer {
  /** False: the query failed (no server, timeout). An answered query without addresses is ok. */
  readonly ok: boolean;
  readonly addresses: readonly string[];
  /** The smallest time to live, seconds; -1 when the resolver does not tell it. */
  readonly ttlSeconds: number;
}

/** Told the outcome of a query, never before `lookup` has returned. */
export interface DnsListener {
  onDnsAnswer(answer: DnsAnswer): void;
}

/** Looks names up. Injected, so that tests can answer. */
export interface DnsResolver {
  /** Addresses of one family. `wantTtl`: ask the name servers themselves, for the time to live. */
  lookup(name: string, family: 4 | 6, wantTtl: boolean, listener: DnsListener): Cancellable;
}
