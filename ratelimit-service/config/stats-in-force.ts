import type { LimitStats } from '../limiter/limit-stats.ts';
import type { LimitConfig } from './build-config.ts';
import type { DescriptorNode, DomainNode } from './rule.ts';

/** The statistics of every limit of a configuration, with the domain that each is of. */
export function statsInForce(config: LimitConfig | null): Map<LimitStats, string> {
  const found = new Map<LimitStats, string>();
  const walk = (domain: string, node: DomainNode | DescriptorNode): void => {
    if ('rules' in node) for (const { stats } of node.rules) found.set(stats, domain);
    for (const child of node.children.values()) walk(domain, child);
  };
  for (const [domain, node] of config?.domains ?? []) walk(domain, node);
  return found;
}
