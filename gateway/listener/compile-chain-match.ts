import { IpRange } from '#gateway/base/ip.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { CidrRange } from '#proto-types/envoy/config/core/v3/address_pb.ts';
import type { FilterChainMatch } from '#proto-types/envoy/config/listener/v3/listener_components_pb.ts';
import type { ChainCriteria } from './filter-chain-match.ts';

const sourceTypes = ['any', 'same_ip_or_loopback', 'external'] as const;

/** Compiles a FilterChainMatch (absent: matches everything). Paths given to `diagnostics` are relative to it. */
export function compileChainMatch(match: FilterChainMatch | undefined, diagnostics: Diagnostics): ChainCriteria {
  const names = (match?.serverNames ?? []).map((name) => name.toLowerCase()).filter((name) => name !== '*');
  const ranges = (list: readonly CidrRange[] | undefined, field: string): IpRange[] =>
    (list ?? []).flatMap((cidr, i) => {
      const range = IpRange.parse(cidr.addressPrefix, cidr.prefixLen ?? 0);
      if (range === null)
        diagnostics.error(`${field}[${i}].address_prefix`, `"${cidr.addressPrefix}" is not an IP address`);
      return range === null ? [] : [range];
    });
  return {
    destinationPort: match?.destinationPort ?? 0,
    prefixRanges: ranges(match?.prefixRanges, 'prefix_ranges'),
    serverNames: names.filter((name) => !name.startsWith('*.')),
    serverNameSuffixes: names.filter((name) => name.startsWith('*.')).map((name) => name.slice(1)),
    transportProtocol: match?.transportProtocol ?? '',
    applicationProtocols: match?.applicationProtocols ?? [],
    directSourcePrefixRanges: ranges(match?.directSourcePrefixRanges, 'direct_source_prefix_ranges'),
    sourceType: sourceTypes[match?.sourceType ?? 0] ?? 'any',
    sourcePrefixRanges: ranges(match?.sourcePrefixRanges, 'source_prefix_ranges'),
    sourcePorts: match?.sourcePorts ?? [],
  };
}

/** Whether every connection matches, so that nothing needs to be looked at. */
export function matchesEverything(criteria: ChainCriteria): boolean {
  return (
    criteria.destinationPort === 0 &&
    criteria.prefixRanges.length === 0 &&
    criteria.serverNames.length === 0 &&
    criteria.serverNameSuffixes.length === 0 &&
    criteria.transportProtocol === '' &&
    criteria.applicationProtocols.length === 0 &&
    criteria.directSourcePrefixRanges.length === 0 &&
    criteria.sourceType === 'any' &&
    criteria.sourcePrefixRanges.length === 0 &&
    criteria.sourcePorts.length === 0
  );
}
