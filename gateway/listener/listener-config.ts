import type { AccessLogger } from '#gateway/api/access-log.ts';
import type { ListenerFilterFactory, NetworkFilterFactory } from '#gateway/api/network-filter.ts';
import type { Address } from '#gateway/base/address.ts';
import type { Scope } from '#gateway/stats/stats.ts';
import type { DownstreamTls } from '#gateway/transport/downstream-tls.ts';
import type { ChainCriteria } from './filter-chain-match.ts';
import type { ListenerStats } from './listener-stats.ts';

/** One filter chain, compiled. */
export interface FilterChain {
  readonly name: string;
  /** Null: raw. */
  readonly tls: DownstreamTls | null;
  /** For the TLS handshake, ClientHello included, milliseconds. */
  readonly connectTimeoutMs: number;
  readonly filters: readonly NetworkFilterFactory[];
}

/** An address to bind, with its options. */
export interface BindAddress {
  readonly address: Address;
  /** False: an IPv6 wildcard takes IPv4 connections too (ipv4_compat). */
  readonly ipv6Only: boolean;
  /** Permission bits of a unix socket, or 0 for the system's. */
  readonly pipeMode: number;
}

/** A listener as its connections see it: immutable; an update makes another one. */
export interface ListenerConfig {
  readonly name: string;
  readonly binds: readonly BindAddress[];
  readonly scope: Scope;
  readonly stats: ListenerStats;
  readonly chains: readonly FilterChain[];
  /** Same order as `chains`. */
  readonly criteria: readonly ChainCriteria[];
  /** One chain that takes everything: nothing needs to be asked. */
  readonly onlyChain: FilterChain | null;
  readonly defaultChain: FilterChain | null;
  readonly listenerFilters: readonly ListenerFilterFactory[];
  readonly listenerFiltersTimeoutMs: number;
  readonly continueOnListenerFiltersTimeout: boolean;
  readonly bufferLimitOctets: number;
  readonly accessLogs: readonly AccessLogger[];
  readonly backlog: number;
  /** The message in protobuf's binary form: equal octets are the same configuration. */
  readonly encoded: Uint8Array;
}
