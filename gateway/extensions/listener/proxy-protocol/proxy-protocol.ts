import type { ConnectionInfo } from '#gateway/api/connection.ts';
import type { ExtensionContext } from '#gateway/api/context.ts';
import type { ListenerFilterExtension } from '#gateway/api/extension.ts';
import type { ListenerFilter, ListenerFilterFactory, ListenerFilterResult } from '#gateway/api/network-filter.ts';
import { ipAddress } from '#gateway/base/address.ts';
import { formatIp, parseIp } from '#gateway/base/ip.ts';
import { maxProxyHeaderOctets, ProxyHeaderReader } from '#gateway/protocol/proxy-protocol/proxy-header.ts';
import type { Counter, Scope } from '#gateway/stats/stats.ts';
import type { ProxyProtocol as ProxyProtocolMessage } from '#proto-types/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb.ts';

interface VersionStats {
  readonly found: Counter;
  readonly disallowed: Counter;
  readonly error: Counter;
}

/** `proxy_proto.*`. */
class ProxyProtocolStats {
  readonly notFoundAllowed: Counter;
  readonly notFoundDisallowed: Counter;
  /** By version; index 0 is unused. */
  readonly versions: readonly [null, VersionStats, VersionStats];

  constructor(root: Scope, prefix: string) {
    const scope = root.scope(prefix === '' ? 'proxy_proto' : `proxy_proto.${prefix}`);
    this.notFoundAllowed = scope.counter('not_found_allowed');
    this.notFoundDisallowed = scope.counter('not_found_disallowed');
    const version = (number: 1 | 2): VersionStats => {
      const of = scope.scope(`versions.v${number}`);
      return { found: of.counter('found'), disallowed: of.counter('disallowed'), error: of.counter('error') };
    };
    this.versions = [null, version(1), version(2)];
  }
}

interface ProxyProtocolConfig {
  readonly stats: ProxyProtocolStats;
  readonly allowWithout: boolean;
  readonly disallowed: ReadonlySet<number>;
}

/** Takes the addresses of one connection from its PROXY header, which it consumes. */
class ProxyProtocolFilter implements ListenerFilter {
  readonly maxReadOctets: number = maxProxyHeaderOctets;
  consumedOctets = 0;
  readonly #config: ProxyProtocolConfig;
  readonly #reader = new ProxyHeaderReader();

  constructor(config: ProxyProtocolConfig) {
    this.#config = config;
  }

  inspect(peeked: Uint8Array, info: ConnectionInfo): ListenerFilterResult {
    const { stats, allowWithout, disallowed } = this.#config;
    const reader = this.#reader;
    const status = reader.read(peeked);
    if (status === 'need_more') return 'need_more';
    if (status === 'absent') {
      (allowWithout ? stats.notFoundAllowed : stats.notFoundDisallowed).inc();
      return allowWithout ? 'continue' : 'close';
    }
    const version = stats.versions[reader.version as 1 | 2];
    const from = parseIp(reader.sourceHost);
    const to = parseIp(reader.destinationHost);
    if (status === 'invalid' || (reader.hasAddresses && (from === null || to === null))) {
      version.error.inc();
      return 'close';
    }
    if (disallowed.has(reader.version)) {
      version.disallowed.inc();
      return 'close';
    }
    version.found.inc();
    this.consumedOctets = reader.octets;
    if (from !== null && to !== null) {
      info.remoteAddress = ipAddress(formatIp(from), reader.sourcePort);
      info.localAddress = ipAddress(formatIp(to), reader.destinationPort);
    }
    return 'continue';
  }
}

/** envoy.filters.listener.proxy_protocol. */
export const proxyProtocolExtension: ListenerFilterExtension = {
  name: 'envoy.filters.listener.proxy_protocol',
  configType: 'envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol',
  createFactory(config, context: ExtensionContext): ListenerFilterFactory {
    const message = config as ProxyProtocolMessage;
    const compiled: ProxyProtocolConfig = {
      stats: new ProxyProtocolStats(context.server.stats, message.statPrefix),
      allowWithout: message.allowRequestsWithoutProxyProtocol,
      disallowed: new Set(message.disallowedVersions.map((version) => version + 1)), // V1 is 0
    };
    return { create: () => new ProxyProtocolFilter(compiled) };
  },
};
