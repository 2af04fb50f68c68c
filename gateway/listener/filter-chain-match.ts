import { type IpRange, isLoopback, type ParsedIp } from '#gateway/base/ip.ts';

/** When a filter chain applies: FilterChainMatch, compiled. Empty lists mean any. */
export interface ChainCriteria {
  /** 0: any. */
  readonly destinationPort: number;
  readonly prefixRanges: readonly IpRange[];
  /** Lower-case exact names. */
  readonly serverNames: readonly string[];
  /** Lower-case, what follows `*`, with its dot. */
  readonly serverNameSuffixes: readonly string[];
  /** '': any. */
  readonly transportProtocol: string;
  readonly applicationProtocols: readonly string[];
  readonly directSourcePrefixRanges: readonly IpRange[];
  readonly sourceType: 'any' | 'same_ip_or_loopback' | 'external';
  readonly sourcePrefixRanges: readonly IpRange[];
  readonly sourcePorts: readonly number[];
}

/** What is known of a connection when its chain is chosen. Null addresses: a unix socket. */
export interface ChainInputs {
  readonly destinationIp: ParsedIp | null;
  readonly destinationPort: number;
  readonly serverName: string;
  readonly transportProtocol: string;
  readonly applicationProtocols: readonly string[];
  readonly directSourceIp: ParsedIp | null;
  readonly sourceIp: ParsedIp | null;
  readonly sourcePort: number;
}

/** Criteria in the order in which they decide: Envoy's. */
const chainSteps = [
  'destination_port',
  'prefix_ranges',
  'server_names',
  'transport_protocol',
  'application_protocols',
  'direct_source_prefix_ranges',
  'source_type',
  'source_prefix_ranges',
  'source_ports',
] as const;
/** @see chainSteps */
export type ChainStep = (typeof chainSteps)[number];

/** Told how the choice went, for `explain`; null on the data path. */
export interface ChainRecorder {
  /** Chain `index` fell out at `step`: it does not match, or another matches more closely. */
  onDropped(index: number, step: ChainStep, why: 'no_match' | 'less_specific'): void;
}

/**
 * Chooses a filter chain: step by step, only the most specific matches of a step go on to the next; a chain that was more
 * specific at an early step keeps out the others even when it fails at a later one, as in Envoy. The answer is an index, or
 * -1 (then the default chain applies). Pure.
 */
export function chooseFilterChain(
  chains: readonly ChainCriteria[],
  inputs: ChainInputs,
  recorder: ChainRecorder | null = null,
): number {
  let left: number[] = [];
  for (let i = 0; i < chains.length; i++) left.push(i);
  for (const step of stepsOf(chains)) {
    if (left.length === 0) return -1;
    let best = -1;
    const scores: number[] = [];
    for (const index of left) {
      const score = specificity(step, chains[index]!, inputs);
      scores.push(score);
      if (score > best) best = score;
    }
    const next: number[] = [];
    for (let i = 0; i < left.length; i++) {
      if (best >= 0 && scores[i] === best) next.push(left[i]!);
      else recorder?.onDropped(left[i]!, step, scores[i] === -1 ? 'no_match' : 'less_specific');
    }
    left = next;
  }
  return left[0] ?? -1;
}

const steps = new WeakMap<readonly ChainCriteria[], readonly ChainStep[]>();

// The steps at which any of the chains asks for something: at the others all are equal.
function stepsOf(chains: readonly ChainCriteria[]): readonly ChainStep[] {
  let used = steps.get(chains);
  if (used === undefined) {
    used = chainSteps.filter((step) => chains.some((chain) => asksFor(step, chain)));
    steps.set(chains, used);
  }
  return used;
}

function asksFor(step: ChainStep, chain: ChainCriteria): boolean {
  switch (step) {
    case 'destination_port':
      return chain.destinationPort !== 0;
    case 'prefix_ranges':
      return chain.prefixRanges.length > 0;
    case 'server_names':
      return chain.serverNames.length + chain.serverNameSuffixes.length > 0;
    case 'transport_protocol':
      return chain.transportProtocol !== '';
    case 'application_protocols':
      return chain.applicationProtocols.length > 0;
    case 'direct_source_prefix_ranges':
      return chain.directSourcePrefixRanges.length > 0;
    case 'source_type':
      return chain.sourceType !== 'any';
    case 'source_prefix_ranges':
      return chain.sourcePrefixRanges.length > 0;
    case 'source_ports':
      return chain.sourcePorts.length > 0;
  }
}

/** How closely one criterion fits: -1 not at all, 0 by asking for nothing, more is more specific. */
function specificity(step: ChainStep, chain: ChainCriteria, inputs: ChainInputs): number {
  switch (step) {
    case 'destination_port':
      if (chain.destinationPort === 0) return 0;
      return chain.destinationPort === inputs.destinationPort ? 1 : -1;
    case 'prefix_ranges':
      return longestPrefix(chain.prefixRanges, inputs.destinationIp);
    case 'server_names':
      return serverNameScore(chain, inputs.serverName);
    case 'transport_protocol':
      if (chain.transportProtocol === '') return 0;
      return chain.transportProtocol === inputs.transportProtocol ? 1 : -1;
    case 'application_protocols':
      return protocolScore(chain.applicationProtocols, inputs.applicationProtocols);
    case 'direct_source_prefix_ranges':
      return longestPrefix(chain.directSourcePrefixRanges, inputs.directSourceIp);
    case 'source_type':
      if (chain.sourceType === 'any') return 0;
      return isLocal(inputs) === (chain.sourceType === 'same_ip_or_loopback') ? 1 : -1;
    case 'source_prefix_ranges':
      return longestPrefix(chain.sourcePrefixRanges, inputs.sourceIp);
    case 'source_ports':
      if (chain.sourcePorts.length === 0) return 0;
      return chain.sourcePorts.includes(inputs.sourcePort) ? 1 : -1;
  }
}

// No ranges at all is the same as a range of every address.
function longestPrefix(ranges: readonly IpRange[], ip: ParsedIp | null): number {
  if (ranges.length === 0) return 0;
  if (ip === null) return -1;
  let best = -1;
  for (const range of ranges) if (range.prefixLength > best && range.contains(ip)) best = range.prefixLength;
  return best;
}

function serverNameScore(chain: ChainCriteria, name: string): number {
  if (chain.serverNames.length === 0 && chain.serverNameSuffixes.length === 0) return 0;
  if (name === '') return -1;
  if (chain.serverNames.includes(name)) return Number.MAX_SAFE_INTEGER;
  let best = -1;
  for (const suffix of chain.serverNameSuffixes) {
    if (suffix.length > best && name.length > suffix.length && name.endsWith(suffix)) best = suffix.length;
  }
  return best;
}

// The client's first protocol that any chain asks for decides.
function protocolScore(wanted: readonly string[], offered: readonly string[]): number {
  if (wanted.length === 0) return 0;
  for (let i = 0; i < offered.length; i++) if (wanted.includes(offered[i]!)) return offered.length - i;
  return -1;
}

function isLocal(inputs: ChainInputs): boolean {
  const { sourceIp, destinationIp } = inputs;
  if (sourceIp === null || destinationIp === null) return true; // a unix socket
  if (isLoopback(sourceIp)) return true;
  return sourceIp.family === destinationIp.family && sourceIp.bits === destinationIp.bits;
}
