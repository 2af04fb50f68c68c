import type { Clock } from '#gateway/runtime/clock.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import type { LimitRule } from '../config/rule.ts';
import type { ExemptionRules } from '../limiter/exemptions.ts';
import type { DescriptorEntry, LimitDescriptor } from '../limiter/request.ts';
import { matchesWildcard } from '../limiter/wildcard.ts';
import type { ExemptEntry, Exemption } from './exemption.ts';

/** The exemptions of one domain, by how they are found. */
class DomainExemptions {
  readonly rules = new Map<string, Exemption>();
  /** By the text of their entries. */
  readonly descriptors = new Map<string, Exemption>();
  readonly prefixes = new Map<string, Exemption>();
  /** Those that have an entry for any value: they are gone through. */
  readonly patterns: Exemption[] = [];
}

/** Longest time that a timer is armed for, milliseconds: later ends are looked at again then. */
const longestWaitMs = 3_600_000;

/**
 * The exemptions in force. They are asked for when a request is planned, not when it is counted, so `changed` must make
 * everybody plan anew: it is called when they change and when one ends.
 */
export class ExemptionList implements ExemptionRules, TimerTarget {
  readonly #clock: Clock;
  readonly #timer: Timer;
  readonly #changed: () => void;
  #all: readonly Exemption[] = [];
  #domains = new Map<string, DomainExemptions>();

  constructor(clock: Clock, timers: Timers, changed: () => void) {
    this.#clock = clock;
    this.#timer = timers.create(this);
    this.#changed = changed;
  }

  get size(): number {
    return this.#all.length;
  }

  /** Those in force, the one that ends first in front. */
  get all(): readonly Exemption[] {
    return this.#all;
  }

  /** Puts these in force, without those that have ended. */
  replace(exemptions: readonly Exemption[]): void {
    const nowMs = this.#clock.wallMs();
    this.#all = exemptions.filter(({ until_ms }) => until_ms > nowMs).sort((a, b) => a.until_ms - b.until_ms);
    this.#domains = new Map();
    for (const exemption of this.#all) this.#index(exemption);
    this.#timer.disable();
    const [first] = this.#all;
    if (first !== undefined) this.#timer.enable(Math.min(longestWaitMs, Math.max(1, first.until_ms - nowMs)));
    this.#changed();
  }

  onTimer(): void {
    this.replace(this.#all);
  }

  exempts(domain: string, { entries }: LimitDescriptor, rule: LimitRule): boolean {
    return this.find(domain, entries, rule) !== null;
  }

  /** The exemption that lets these entries through, of those that do any; null for none. */
  find(domain: string, entries: readonly DescriptorEntry[], rule: LimitRule): Exemption | null {
    const own = this.#domains.get(domain);
    if (own === undefined) return null;
    const ofRule = own.rules.get(rule.configKey ?? rule.fullKey);
    if (ofRule !== undefined) return ofRule;
    let text = '';
    let prefix = own.prefixes.get(text) ?? null;
    for (const { key, value } of entries) {
      if (prefix !== null) return prefix;
      text += entryText(key, value);
      prefix = own.prefixes.get(text) ?? null;
    }
    return prefix ?? own.descriptors.get(text) ?? own.patterns.find((each) => matches(each, entries)) ?? null;
  }

  close(): void {
    this.#timer.disable();
  }

  #index(exemption: Exemption): void {
    let own = this.#domains.get(exemption.domain);
    if (own === undefined) {
      own = new DomainExemptions();
      this.#domains.set(exemption.domain, own);
    }
    const { scope, descriptor, rule } = exemption;
    if (scope === 'rule') own.rules.set(rule, exemption);
    else if (descriptor.some(isPattern)) own.patterns.push(exemption);
    else {
      const text = descriptor.map(({ key, value }) => entryText(key, value!)).join('');
      (scope === 'prefix' ? own.prefixes : own.descriptors).set(text, exemption);
    }
  }
}

function isPattern({ value }: ExemptEntry): boolean {
  return value === undefined || value.includes('*');
}

/** One entry as text that no other has, however they follow each other. */
function entryText(key: string, value: string): string {
  return `${key.length}:${key}${value.length}:${value}`;
}

function matches({ scope, descriptor }: Exemption, entries: readonly DescriptorEntry[]): boolean {
  if (scope === 'prefix' ? entries.length < descriptor.length : entries.length !== descriptor.length) return false;
  return descriptor.every(({ key, value }, i) => {
    const entry = entries[i]!;
    return key === entry.key && (value === undefined || matchesWildcard(value, entry.value));
  });
}
