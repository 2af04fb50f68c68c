import type { StatsStore } from '../limiter/stats-store.ts';
import { buildRules } from './build-rules.ts';
import { type FailureMode, failureModes, parseFailureMode } from './failure-mode.ts';
import { findKeyCollisions } from './key-collisions.ts';
import { LimitConfigError } from './limit-config-error.ts';
import type { DescriptorNode, DomainNode, StructValue } from './rule.ts';
import type { RawConfig, RawDescriptor } from './yaml-file.ts';

/** A whole configuration, ready to be asked. Immutable; a reload makes another one. */
export interface LimitConfig {
  readonly domains: ReadonlyMap<string, DomainNode>;
  /** Pairs of rules that requests can make count on one key, each as a sentence; see `key-collisions.ts`. */
  readonly warnings: readonly string[];
}

const emptyDomainAdvice = "it needs a line 'domain: NAME'; files that are no limits do not belong into this directory";
const duplicateDomainAdvice =
  'MERGE_DOMAIN_CONFIG=true joins the files of a domain; copies and backups belong elsewhere';
const duplicateKeyAdvice = 'several limits of one descriptor are a list, rate_limits';

/** A domain or descriptor while it is being built. */
interface OpenNode {
  readonly children: Map<string, DescriptorNode>;
  readonly wildcards: DescriptorNode[];
  failureMode?: FailureMode;
}

/**
 * Builds the tree of every domain. The first problem refuses the whole set, in the reference service's words. Throws
 * {@link LimitConfigError}.
 */
export function buildLimitConfig(
  files: readonly RawConfig[],
  options: { readonly mergeDomains: boolean; readonly stats: StatsStore },
): LimitConfig {
  const domains = new Map<string, OpenNode>();
  for (const { file, domain, descriptors, failureMode = '' } of files) {
    if (domain === '') throw new LimitConfigError(file, 'config file cannot have empty domain', 0, emptyDomainAdvice);
    let root = domains.get(domain);
    if (root !== undefined && !options.mergeDomains) {
      throw new LimitConfigError(file, `duplicate domain '${domain}' in config file`, 0, duplicateDomainAdvice);
    }
    if (root === undefined) {
      root = { children: new Map(), wildcards: [] };
      domains.set(domain, root);
    }
    if (failureMode !== '') setFailureMode(file, root, failureMode);
    addDescriptors(file, root, `${domain}.`, descriptors, options.stats);
  }
  return { domains, warnings: findKeyCollisions(domains) };
}

function setFailureMode(file: string, root: OpenNode, text: string): void {
  const mode = parseFailureMode(text);
  if (mode === null) {
    throw new LimitConfigError(file, `invalid failure_mode '${text}', it is none of ${failureModes.join(', ')}`);
  }
  if (root.failureMode !== undefined && root.failureMode !== mode) {
    throw new LimitConfigError(
      file,
      `failure_mode '${text}', but another file of the domain says '${root.failureMode}'`,
    );
  }
  root.failureMode = mode;
}

function addDescriptors(
  file: string,
  parent: OpenNode,
  prefix: string,
  descriptors: readonly RawDescriptor[],
  stats: StatsStore,
): void {
  for (const raw of descriptors) {
    if (raw.key === '') throw new LimitConfigError(file, 'descriptor has empty key', raw.line);
    const composite = raw.value === '' ? raw.key : `${raw.key}_${raw.value}`;
    const fullKey = prefix + composite;
    if (parent.children.has(composite)) {
      throw new LimitConfigError(file, `duplicate descriptor composite key '${fullKey}'`, raw.line, duplicateKeyAdvice);
    }
    const rules = buildRules(file, raw, fullKey, stats);
    const wildcard = composite.includes('*');
    if (raw.shareThreshold && !wildcard) {
      throw new LimitConfigError(
        file,
        `share_threshold can only be used with wildcard values (containing '*'), but found key '${composite}'`,
        raw.line,
      );
    }
    checkMetadata(file, raw.metadata, raw.line);
    const own: OpenNode = { children: new Map(), wildcards: [] };
    addDescriptors(file, own, `${fullKey}.`, raw.descriptors, stats);
    const node: DescriptorNode = {
      composite,
      fullKey,
      rules,
      children: own.children,
      wildcards: own.wildcards,
      shareThreshold: raw.shareThreshold,
      valueToMetric: raw.valueToMetric,
      detailedMetric: raw.detailedMetric,
      valuePattern: raw.value,
      metadata: raw.metadata,
    };
    parent.children.set(composite, node);
    if (wildcard) parent.wildcards.push(node);
  }
}

/** A Struct holds null, booleans, numbers, text, lists and mappings with text keys. */
function checkMetadata(file: string, value: unknown, line: number): void {
  if (value === null || typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string') return;
  if (Array.isArray(value)) {
    for (const item of value) checkMetadata(file, item, line);
  } else if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    for (const item of Object.values(value as Readonly<Record<string, StructValue>>)) checkMetadata(file, item, line);
  } else {
    throw new LimitConfigError(file, `error parsing metadata: proto: invalid type: ${typeof value}`, line);
  }
}
