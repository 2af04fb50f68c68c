import { isIP } from 'node:net';
import { parseIp } from '#gateway/base/ip.ts';
import type { Address, CidrRange } from '#proto-types/envoy/config/core/v3/address_pb.ts';
import type { FilterChain, FilterChainMatch } from '#proto-types/envoy/config/listener/v3/listener_components_pb.ts';
import type { Listener } from '#proto-types/envoy/config/listener/v3/listener_pb.ts';
import type { Diagnostics } from '../diagnostics.ts';
import { checkOf, type SemanticChecks } from './semantic-context.ts';

/** Checks of listeners and the choice of their filter chains. */
export const listenerChecks: SemanticChecks = {
  'envoy.config.listener.v3.Listener': checkOf(checkListener),
};

function checkListener(listener: Listener, found: Diagnostics): void {
  if (listener.address === undefined && listener.listenerSpecifier.case !== 'internalListener') {
    if (listener.apiListener === undefined) found.error('address', 'is required');
  } else {
    checkAddress(listener.address, found.at('address'));
  }
  for (const [i, more] of listener.additionalAddresses.entries()) {
    checkAddress(more.address, found.at(`additional_addresses[${i}].address`));
  }
  if (listener.filterChainMatcher === undefined) checkMatches(listener.filterChains, found);
}

function checkAddress(address: Address | undefined, found: Diagnostics): void {
  if (address?.address.case !== 'socketAddress') return;
  const { address: ip, resolverName } = address.address.value;
  if (ip === '' || resolverName !== '' || isIP(ip) !== 0) return;
  const meant = ip === 'localhost' ? '127.0.0.1' : ip === '*' ? '0.0.0.0' : null;
  found.error('socket_address.address', `"${ip}" is not an IP address, which a listener needs`, meant);
}

/** Two chains with the same match could not be told apart. */
function checkMatches(chains: readonly FilterChain[], found: Diagnostics): void {
  const owners = new Map<string, number>();
  for (const [i, chain] of chains.entries()) {
    for (const [j, name] of (chain.filterChainMatch?.serverNames ?? []).entries()) {
      if (!name.includes('*') || /^\*\.[^*]+$/.test(name)) continue;
      const path = `filter_chains[${i}].filter_chain_match.server_names[${j}]`;
      found.error(path, `partial wildcards such as "${name}" are not supported`, suffixWildcard(name));
    }
    for (const key of matchKeys(chain.filterChainMatch)) {
      const owner = owners.get(key);
      if (owner === undefined) {
        owners.set(key, i);
      } else if (owner !== i) {
        found.error(`filter_chains[${i}]`, `has the same filter_chain_match as ${chainName(chains, owner)}`);
        break;
      }
    }
  }
}

function suffixWildcard(name: string): string | null {
  if (name === '*') return 'no server_names, which match every name';
  const dot = name.indexOf('.', name.indexOf('*'));
  return dot === -1 ? null : `*${name.slice(dot)}`;
}

function chainName(chains: readonly FilterChain[], i: number): string {
  const name = chains[i]!.name;
  return name === '' ? `filter_chains[${i}]` : `filter chain "${name}"`;
}

/** One key for each combination of the lists of a match, as chains overlap when they share one combination. */
function matchKeys(match: FilterChainMatch | undefined): string[] {
  if (match === undefined) return ['{}'];
  const ranges = (list: FilterChainMatch['prefixRanges']): string[] => orAny(list.map(rangeKey));
  let keys = [`${match.destinationPort ?? ''}|${match.sourceType}|${match.transportProtocol}`];
  const lists = [
    ranges(match.prefixRanges),
    ranges(match.directSourcePrefixRanges),
    ranges(match.sourcePrefixRanges),
    orAny(match.sourcePorts.map(String)),
    orAny(match.serverNames.map((name) => name.toLowerCase())),
    orAny(match.applicationProtocols),
  ];
  for (const list of lists) keys = keys.flatMap((key) => list.map((item) => `${key}|${item}`));
  return keys[0] === `|0|${'|'.repeat(6)}` ? ['{}'] : keys;
}

/** The same for ranges that hold the same addresses. */
function rangeKey(range: CidrRange): string {
  const ip = parseIp(range.addressPrefix);
  if (ip === null) return range.addressPrefix;
  const free = BigInt(Math.max(0, (ip.family === 4 ? 32 : 128) - (range.prefixLen ?? 0)));
  return `${ip.family}:${(ip.bits >> free) << free}/${free}`;
}

function orAny(list: readonly string[]): readonly string[] & string[] {
  return list.length === 0 ? [''] : [...list];
}
