import type { LimitStats } from '../limiter/limit-stats.ts';
import type { TakeLimit } from '../store/take.ts';
import type { FailureMode } from './failure-mode.ts';
import type { LimitUnit } from './limit-unit.ts';

/** A value that a protobuf Struct can hold. */
export type StructValue =
  | null
  | boolean
  | number
  | string
  | readonly StructValue[]
  | { readonly [key: string]: StructValue };

/** One `rate_limit` of the configuration, or a limit that a request brought along. Immutable. */
export interface LimitRule {
  /** Domain and composite keys joined by dots: the name in statistics. */
  readonly fullKey: string;
  /** Its `fullKey` in the configuration, where the request made another one. */
  readonly configKey?: string;
  readonly requestsPerUnit: number;
  readonly unit: LimitUnit;
  /** Length of the window (or lease), seconds: the unit's times `unit_multiplier`; 0 when unlimited. */
  readonly windowSeconds: number;
  readonly unlimited: boolean;
  /** What goes before the counter's key; empty for what the reference service counts, so that both count together. */
  readonly keyTag: string;
  /** The numbers for the store. */
  readonly take: TakeLimit;
  /** Name that others may replace; empty when there is none. */
  readonly name: string;
  /** Names of rules that do not count when this one applies. */
  readonly replaces: readonly string[];
  /** Over limit is answered with OK. */
  readonly shadowMode: boolean;
  /** Over limit rejects only when every quota descriptor of the request is over. */
  readonly quotaMode: boolean;
  readonly stats: LimitStats;
}

/** A place in the tree of descriptors. Immutable once the configuration is loaded. */
export interface DescriptorNode {
  /** Key, or key and value joined by `_`. */
  readonly composite: string;
  readonly fullKey: string;
  /** Empty: no limit. Several: all of them apply. */
  readonly rules: readonly LimitRule[];
  /** Entries by composite key. */
  readonly children: ReadonlyMap<string, DescriptorNode>;
  /** The children with a `*`, in the order of the configuration. */
  readonly wildcards: readonly DescriptorNode[];
  /** All values that a wildcard matches share one counter. */
  readonly shareThreshold: boolean;
  /** The value of a request becomes part of the statistics name. */
  readonly valueToMetric: boolean;
  /** The statistics name is made of the request's own entries. */
  readonly detailedMetric: boolean;
  /** The value of `shareThreshold` counters: the pattern without the key. */
  readonly valuePattern: string;
  readonly metadata: StructValue;
}

/** A domain is the root of its descriptors. */
export interface DomainNode extends Pick<DescriptorNode, 'children' | 'wildcards'> {
  /** What becomes of requests whose counters cannot be asked; as FAILURE_MODE says when absent. */
  readonly failureMode?: FailureMode;
}
