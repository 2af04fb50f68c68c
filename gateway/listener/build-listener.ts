import type { ServerContext } from '#gateway/api/context.ts';
import type { ListenerFilterFactory, NetworkFilterFactory } from '#gateway/api/network-filter.ts';
import { type Address, ipAddress, pipeAddress } from '#gateway/base/address.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import { createMessage, encodeMessage, typeNameOf, unpackAny } from '#gateway/proto/registry.ts';
import type { Scope } from '#gateway/stats/stats.ts';
import { createDownstreamTransport } from '#gateway/transport/create-transport.ts';
import type { Address as AddressMessage } from '#proto-types/envoy/config/core/v3/address_pb.ts';
import type {
  FilterChain as FilterChainMessage,
  ListenerFilter as ListenerFilterMessage,
} from '#proto-types/envoy/config/listener/v3/listener_components_pb.ts';
import type { Listener as ListenerMessage } from '#proto-types/envoy/config/listener/v3/listener_pb.ts';
import type { TlsInspector } from '#proto-types/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts';
import { compileChainMatch, matchesEverything } from './compile-chain-match.ts';
import type { ChainCriteria } from './filter-chain-match.ts';
import type { BindAddress, FilterChain, ListenerConfig } from './listener-config.ts';
import { ListenerStats, listenerStatName } from './listener-stats.ts';

const defaultBufferLimitOctets = 1024 * 1024;
const defaultListenerFiltersTimeoutMs = 15_000;
const defaultBacklog = 4096;
/** Bound of a handshake where transport_socket_connect_timeout is not set: what Node's own TLS server grants. */
const defaultHandshakeTimeoutMs = 120_000;
const tlsInspectorType = 'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector';

/**
 * Compiles a Listener message. Makes no socket. Problems go to `diagnostics`, whose paths are relative to the message; the
 * answer is only to be used when there were none.
 */
export function buildListener(
  message: ListenerMessage,
  server: ServerContext,
  diagnostics: Diagnostics,
): ListenerConfig | null {
  const binds = readBinds(message, diagnostics);
  const first = binds[0];
  if (first === undefined) return null;
  const scope = server.stats.scope(`listener.${listenerStatName(message.statPrefix, first.address)}`);
  const chains: FilterChain[] = [];
  const criteria: ChainCriteria[] = [];
  message.filterChains.forEach((chain, i) => {
    const at = diagnostics.at(`filter_chains[${i}]`);
    chains.push(buildChain(chain, server, scope, at));
    criteria.push(compileChainMatch(chain.filterChainMatch, at.at('filter_chain_match')));
  });
  const defaultChain =
    message.defaultFilterChain === undefined
      ? null
      : buildChain(message.defaultFilterChain, server, scope, diagnostics.at('default_filter_chain'));
  if (chains.length === 0 && defaultChain === null) {
    diagnostics.error('filter_chains', `error adding listener '${first.address.text}': no filter chains specified`);
  }
  const only = criteria.length === 1 && matchesEverything(criteria[0]!) ? chains[0]! : null;
  return {
    name: message.name === '' ? first.address.text : message.name,
    binds,
    scope,
    stats: new ListenerStats(scope),
    chains,
    criteria,
    onlyChain: only,
    defaultChain,
    listenerFilters: buildListenerFilters(message, criteria, server, scope, diagnostics),
    listenerFiltersTimeoutMs: durationMs(message.listenerFiltersTimeout, defaultListenerFiltersTimeoutMs),
    continueOnListenerFiltersTimeout: message.continueOnListenerFiltersTimeout,
    bufferLimitOctets: message.perConnectionBufferLimitBytes ?? defaultBufferLimitOctets,
    accessLogs: message.accessLog.map((log, i) => server.accessLogger(log, diagnostics.at(`access_log[${i}]`))),
    backlog: message.tcpBacklogSize ?? defaultBacklog,
    encoded: encodeMessage(message),
  };
}

function readBinds(message: ListenerMessage, diagnostics: Diagnostics): BindAddress[] {
  const binds: BindAddress[] = [];
  const add = (address: AddressMessage | undefined, at: Diagnostics): void => {
    const bind = readBind(address, at);
    if (bind !== null) binds.push(bind);
  };
  add(message.address, diagnostics.at('address'));
  message.additionalAddresses.forEach((more, i) => {
    add(more.address, diagnostics.at(`additional_addresses[${i}].address`));
  });
  return binds;
}

function readBind(message: AddressMessage | undefined, diagnostics: Diagnostics): BindAddress | null {
  const chosen = message?.address;
  switch (chosen?.case) {
    case 'socketAddress': {
      const { address: host, portSpecifier, ipv4Compat, protocol } = chosen.value;
      if (protocol === 1) {
        diagnostics.error('socket_address.protocol', 'UDP listeners are not supported yet');
        return null;
      }
      const port = portSpecifier.case === 'portValue' ? portSpecifier.value : 0;
      const address: Address = ipAddress(host, port);
      return { address, ipv6Only: address.family === 6 && !ipv4Compat, pipeMode: 0 };
    }
    case 'pipe': {
      const { path, mode } = chosen.value;
      // Envoy writes abstract names with `@`, the system with a zero octet.
      return { address: pipeAddress(path), ipv6Only: false, pipeMode: mode };
    }
    default:
      if (chosen?.case === undefined) diagnostics.error('', 'is required');
      else diagnostics.error(chosen.case, 'this kind of listener address is not supported yet');
      return null;
  }
}

function buildChain(
  message: FilterChainMessage,
  server: ServerContext,
  scope: Scope,
  diagnostics: Diagnostics,
): FilterChain {
  const tls = createDownstreamTransport(message.transportSocket, server, scope, diagnostics.at('transport_socket'));
  const filters: NetworkFilterFactory[] = [];
  message.filters.forEach((filter, i) => {
    const at = diagnostics.at(`filters[${i}]`);
    const any = filter.configType.case === 'typedConfig' ? filter.configType.value : undefined;
    if (any === undefined) {
      at.error('typed_config', 'is required');
      return;
    }
    const type = typeNameOf(any);
    const extension = server.extensions.network.get(type);
    if (extension === undefined) {
      at.error('typed_config', `network filter ${type} is not supported yet`);
      return;
    }
    const inner = at.at('typed_config');
    const context = { server, scope, diagnostics: inner };
    const factory = inner.try(() => extension.createFactory(unpackAny(any), context));
    if (factory !== undefined) filters.push(factory);
  });
  checkTerminal(message, filters, diagnostics);
  return {
    name: message.name,
    tls,
    connectTimeoutMs: durationMs(message.transportSocketConnectTimeout, 0) || defaultHandshakeTimeoutMs,
    filters,
  };
}

function checkTerminal(
  message: FilterChainMessage,
  filters: readonly NetworkFilterFactory[],
  diagnostics: Diagnostics,
): void {
  if (filters.length !== message.filters.length) return; // already told
  filters.forEach((factory, i) => {
    const last = i === filters.length - 1;
    const name = message.filters[i]!.name;
    if (last && !factory.terminal) {
      diagnostics.error(
        `filters[${i}]`,
        `Error: non-terminal filter named ${name} is the last filter in a network filter chain.`,
      );
    } else if (!last && factory.terminal) {
      diagnostics.error(
        `filters[${i}]`,
        `Error: terminal filter named ${name} must be the last filter in a network filter chain.`,
      );
    }
  });
}

function buildListenerFilters(
  message: ListenerMessage,
  criteria: readonly ChainCriteria[],
  server: ServerContext,
  scope: Scope,
  diagnostics: Diagnostics,
): ListenerFilterFactory[] {
  const factories: ListenerFilterFactory[] = [];
  let inspectsTls = false;
  message.listenerFilters.forEach((filter, i) => {
    const at = diagnostics.at(`listener_filters[${i}]`);
    const { type, config } = readListenerFilter(filter);
    inspectsTls ||= type === tlsInspectorType;
    const extension = server.extensions.listener.get(type);
    if (extension === undefined) {
      at.error('typed_config', `listener filter ${type === '' ? filter.name : type} is not supported yet`);
      return;
    }
    const inner = at.at('typed_config');
    const factory = inner.try(() =>
      extension.createFactory(config ?? createMessage(type), { server, scope, diagnostics: inner }),
    );
    if (factory !== undefined) factories.push(factory);
  });
  if (!inspectsTls && criteria.some(needsTlsInspector)) {
    // As Envoy: matching on what only the ClientHello tells brings the inspector in.
    const extension = server.extensions.listener.get(tlsInspectorType);
    if (extension !== undefined) {
      const config = createMessage<TlsInspector>(tlsInspectorType);
      factories.push(extension.createFactory(config, { server, scope, diagnostics }));
    }
  }
  return factories;
}

function readListenerFilter(filter: ListenerFilterMessage): {
  type: string;
  config: ReturnType<typeof unpackAny> | null;
} {
  if (filter.configType.case === 'typedConfig') {
    return { type: typeNameOf(filter.configType.value), config: unpackAny(filter.configType.value) };
  }
  return { type: filter.name === 'envoy.filters.listener.tls_inspector' ? tlsInspectorType : '', config: null };
}

function needsTlsInspector(criteria: ChainCriteria): boolean {
  if (criteria.transportProtocol === 'tls') return true;
  if (criteria.transportProtocol !== '') return false;
  return (
    criteria.serverNames.length > 0 ||
    criteria.serverNameSuffixes.length > 0 ||
    criteria.applicationProtocols.length > 0
  );
}
