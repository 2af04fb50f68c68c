import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { DescriptorPlan, RequestPlan } from '../limiter/plan.ts';
import type { DescriptorEntry } from '../limiter/request.ts';
import type { LimitService } from '../service/limit-service.ts';
import type { CounterStore } from '../store/counter-store.ts';
import type { LocalCache } from '../store/local-cache.ts';
import type { LocalEstimate } from '../store/local-estimate.ts';
import { AdminFailure } from './admin-failure.ts';
import { descriptorRequest } from './descriptor-request.ts';
import { type Exemption, type ExemptionWish, maxExemptionLength, maxExemptionMs, maxExemptions } from './exemption.ts';
import type { ExemptionList } from './exemption-list.ts';
import type { HotKeyOrder, HotKeyReport, HotKeys } from './hot-keys.ts';
import { currentKey, type PeekedLimit, peekLimits } from './peek.ts';
import type { SharedNotes } from './shared-notes.ts';

/** The parts of a service that are looked at and touched. */
export interface LimitAdminParts {
  readonly limits: LimitService;
  readonly store: CounterStore;
  readonly cache: LocalCache | null;
  readonly estimate: LocalEstimate;
  readonly clock: Clock;
  readonly random: Random;
  readonly exemptions: ExemptionList;
  readonly notes: SharedNotes;
  /** Null: no list is kept. */
  readonly hotKeys: HotKeys | null;
}

/** What was found for a descriptor. The members stay. */
export interface PeekAnswer {
  readonly domain: string;
  readonly domain_known: boolean;
  readonly descriptor: readonly DescriptorEntry[];
  /** None: nothing limits it. */
  readonly limits: readonly PeekedLimit[];
}

/** What a reset did. The members stay. */
export interface ResetAnswer {
  readonly domain: string;
  readonly descriptor: readonly DescriptorEntry[];
  readonly counters: readonly { readonly rule: string; readonly key: string; readonly existed: boolean }[];
  /** How long other instances may still go by what they knew of it. */
  readonly others_within_ms: number;
}

/** An exemption that is made or was made, and how long others may not know of it. */
export interface ExemptAnswer {
  readonly exemption: Exemption;
  readonly others_within_ms: number;
}

/** Looks at limits and touches them, through the engine that counts. */
export class LimitAdmin {
  readonly #parts: LimitAdminParts;

  constructor(parts: LimitAdminParts) {
    this.#parts = parts;
  }

  /** The hottest keys. Throws {@link AdminFailure} when no list is kept. */
  top(domain: string | null, by: HotKeyOrder, count: number): HotKeyReport {
    const { hotKeys } = this.#parts;
    if (hotKeys === null) throw new AdminFailure(409, 'no list of hottest keys is kept: TOP_KEYS is 0');
    return hotKeys.report(domain, by, count);
  }

  /** The limits of a descriptor as they are now. Rejects with {@link AdminFailure}. */
  async peek(domain: string, entries: readonly DescriptorEntry[]): Promise<PeekAnswer> {
    const { store, cache, exemptions } = this.#parts;
    const plan = this.#plan(domain, entries);
    const exemptionOf = ({ rule }: DescriptorPlan): Exemption | null => exemptions.find(domain, entries, rule!);
    const limits = await peekLimits(plan, { store, cache, nowSeconds: this.#nowSeconds(), exemptionOf });
    return { domain, domain_known: plan.unknownDomain === null, descriptor: entries, limits };
  }

  /** Deletes the counters of a descriptor, those of fixed windows in the window under way. Rejects with {@link AdminFailure}. */
  async reset(domain: string, entries: readonly DescriptorEntry[]): Promise<ResetAnswer> {
    const { estimate, notes } = this.#parts;
    const nowSeconds = this.#nowSeconds();
    const counted = this.#plan(domain, entries).descriptors.filter(({ take }) => take !== null);
    if (counted.length === 0)
      throw new AdminFailure(404, 'nothing limits this descriptor, so there is nothing to reset');
    const keys = counted.map((plan) => currentKey(plan, nowSeconds));
    // First, and by itself: it is in use while the store is away.
    const estimated = estimate.forget(keys);
    const existed = await Promise.all(
      counted.map(async ({ windowSeconds }, i) => await this.#remove(keys[i]!, windowSeconds)),
    ).catch((error: AdminFailure) => {
      const instead = '; deleted is only what this instance had counted by itself meanwhile';
      throw estimated ? new AdminFailure(error.status, error.message + instead) : error;
    });
    await notes.announceReset(keys).catch((error: Error) => {
      throw new AdminFailure(503, `the counters are deleted, but other instances were not told: ${error.message}`);
    });
    const counters = counted.map(({ rule }, i) => {
      return { rule: rule!.configKey ?? rule!.fullKey, key: keys[i]!, existed: existed[i]! };
    });
    return { domain, descriptor: entries, counters, others_within_ms: notes.staleMs };
  }

  /** Exemptions in force, the one that ends first in front. */
  exemptions(): readonly Exemption[] {
    return this.#parts.exemptions.all;
  }

  /** Lets something through for a while. Rejects with {@link AdminFailure}. */
  async exempt(wish: Omit<ExemptionWish, 'id'>, forMs: number): Promise<ExemptAnswer> {
    if (forMs < 1000 || forMs > maxExemptionMs) {
      throw new AdminFailure(400, 'for: an exemption lasts from one second to 31 days');
    }
    if (JSON.stringify(wish).length > maxExemptionLength) throw new AdminFailure(413, 'the exemption is too long');
    const id = this.#parts.random.uuid().replaceAll('-', '').slice(0, 12);
    const exemption = await this.#kept(this.#parts.notes.addExemption({ ...wish, id }, forMs));
    if (exemption === null)
      throw new AdminFailure(409, `there are ${maxExemptions} exemptions, which is all there may be`);
    return { exemption, others_within_ms: this.#parts.notes.staleMs };
  }

  /** Ends an exemption. Rejects with {@link AdminFailure}. */
  async endExemption(id: string): Promise<ExemptAnswer> {
    const exemption = this.#parts.exemptions.all.find((each) => each.id === id);
    const removed = await this.#kept(this.#parts.notes.removeExemption(id));
    if (!removed || exemption === undefined) throw new AdminFailure(404, `there is no exemption ${id}`);
    return { exemption, others_within_ms: this.#parts.notes.staleMs };
  }

  #plan(domain: string, entries: readonly DescriptorEntry[]): RequestPlan {
    const plan = this.#parts.limits.planFor(descriptorRequest(domain, entries));
    if (plan.error !== null) throw new AdminFailure(409, plan.error);
    return plan;
  }

  async #remove(key: string, windowSeconds: number): Promise<boolean> {
    return await new Promise((resolve, reject) => {
      this.#parts.store.remove(
        key,
        windowSeconds,
        {
          onCounter: (_index, existed) => resolve(existed > 0),
          onCounterError: (_index, message) => reject(new AdminFailure(503, message)),
        },
        0,
      );
    });
  }

  async #kept<T>(kept: Promise<T>): Promise<T> {
    return await kept.catch((error: Error) => {
      throw new AdminFailure(503, `redis: ${error.message}`);
    });
  }

  #nowSeconds(): number {
    return Math.floor(this.#parts.clock.wallMs() / 1000);
  }
}
