import { LimitAlgorithm } from '../config/algorithm.ts';
import type { LimitConfig } from '../config/build-config.ts';
import type { DescriptorNode, LimitRule } from '../config/rule.ts';
import { answerPerStatus } from '../limiter/answer-per-status.ts';
import { findDomain, findRule } from '../limiter/find-rule.ts';
import { type DescriptorPlan, type PlanOptions, planRequest, type RequestPlan } from '../limiter/plan.ts';
import { type LimitWaiter, RateLimiter } from '../limiter/rate-limiter.ts';
import type { DescriptorEntry, LimitRequest } from '../limiter/request.ts';
import type { StatsStore } from '../limiter/stats-store.ts';
import {
  descriptorCode,
  isOverLimit,
  LimitCode,
  limitRemaining,
  overallCode,
  secondsUntilReset,
} from '../limiter/verdict.ts';
import { MemoryStore } from '../store/memory-store.ts';
import type { TakeLimit } from '../store/take.ts';
import { limitText } from './limit-text.ts';
import type { RequestTemplate } from './request-template.ts';
import { RuleReport } from './rule-report.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** Plans that are kept: the same request comes again and again. */
const maxPlans = 16_384;

/** Limits that requests bring along are told apart up to this many. */
const maxOverrideReports = 1000;

/** Settings of the service that change what is limited. */
export interface ReplayOptions extends PlanOptions {
  /** ALL_OR_NOTHING */
  readonly allOrNothing: boolean;
  /** STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT */
  readonly holdBack: boolean;
  /** MEMORY_MAX_COUNTERS */
  readonly maxCounters: number;
}

/** One call of a planned line. */
export interface PlannedCall {
  readonly request: LimitRequest;
  /** With an entry for each limit, so that each is told. */
  readonly plan: RequestPlan;
  /** The request's descriptor that each entry is of, or null when they are the same. */
  readonly statuses: readonly number[] | null;
  /** The template of each of the request's descriptors. */
  readonly origins: readonly number[];
  readonly reports: readonly (RuleReport | null)[];
  /** Whether each gives hits back. */
  readonly givesBack: readonly boolean[];
  /** Keys of counters as people read them, made when they are needed. */
  readonly shown: (string | null)[];
}

/** What a line asks of one configuration. */
export interface PlannedLine {
  readonly start: PlannedCall | null;
  readonly done: PlannedCall | null;
  /** Whether any rule has a word in it. */
  readonly matched: boolean;
}

/** Why a request was limited: one for each rule that refused it. */
export interface Refusal {
  readonly rule: string;
  readonly key: string;
  readonly limit: string;
  readonly remaining: number;
  /** Seconds until there is room again. */
  readonly resetSeconds: number;
}

/** What a configuration says to the requests of a log: the service's own engine on the time of the log. */
export class Replay implements LimitWaiter {
  readonly config: LimitConfig;
  readonly #stats: StatsStore;
  readonly #options: ReplayOptions;
  readonly #limiter: RateLimiter;
  readonly #clock: VirtualClock;
  readonly #template: RequestTemplate;
  /** By the numbers of the rule, which are the rule's own: rules with names that requests make are copies. */
  readonly #reports = new Map<TakeLimit, RuleReport>();
  /** Of limits that requests bring along. */
  readonly #overrides = new Map<string, RuleReport>();
  #plans = new Map<string, PlannedLine>();
  #call: PlannedCall | null = null;
  #limited = false;
  #refusals: Refusal[] | null = null;
  requests = 0;
  limited = 0;
  /** Requests that no rule has a word in. */
  unmatched = 0;
  /** Requests that could not be counted, because the store was full. */
  errors = 0;

  constructor(
    config: LimitConfig,
    stats: StatsStore,
    template: RequestTemplate,
    clock: VirtualClock,
    options: ReplayOptions,
  ) {
    this.config = config;
    this.#stats = stats;
    this.#template = template;
    this.#clock = clock;
    this.#options = options;
    const store = new MemoryStore(clock, options.maxCounters);
    this.#limiter = new RateLimiter(store, clock, stats, null, options.holdBack, options.allOrNothing);
    for (const domain of config.domains.values()) this.#addReports(domain);
  }

  /** Every rule's report, in the order of the configuration; then those of limits that requests brought along. */
  get reports(): RuleReport[] {
    return [...this.#reports.values(), ...this.#overrides.values()];
  }

  /** What a line of this key asks for. */
  plan(key: string): PlannedLine {
    let planned = this.#plans.get(key);
    if (planned === undefined) {
      const requests = this.#template.requests(key);
      const start = this.#planCall(requests.start, requests.startOrigins);
      const done = this.#planCall(requests.done, requests.doneOrigins);
      const matched = [start, done].some((call) => call?.reports.some((report) => report !== null) === true);
      planned = { start, done, matched };
      if (this.#plans.size >= maxPlans) this.#plans.clear();
      this.#plans.set(key, planned);
    }
    return planned;
  }

  /**
   * Counts a request as it comes: whether it is limited. `hits`: by template; null for 1 each. `refusals` gets why, when
   * it is given.
   */
  request(line: PlannedLine, hits: readonly number[] | null, refusals: Refusal[] | null): boolean {
    this.requests++;
    if (!line.matched) this.unmatched++;
    if (line.start === null) return false;
    this.#refusals = refusals;
    this.#ask(line.start, hits);
    if (this.#limited) this.limited++;
    return this.#limited;
  }

  /** Counts the end of a request that was let pass: nothing refuses it any more. */
  done(call: PlannedCall, hits: readonly number[] | null): void {
    this.#refusals = null;
    this.#ask(call, hits);
  }

  onLimited(plan: RequestPlan, after: number[], nowSeconds: number): void {
    const call = this.#call!;
    const folded =
      call.statuses === null ? null : answerPerStatus({ ...plan, statuses: call.statuses }, after, null, nowSeconds);
    this.#limited = overallCode(folded?.plan ?? plan, folded?.after ?? after) === LimitCode.OverLimit;
    const timeUs = this.#clock.us;
    for (let i = 0; i < plan.descriptors.length; i++) {
      const each = plan.descriptors[i]!;
      const report = call.reports[i]!;
      if (report === null || call.givesBack[i]!) continue;
      report.requests++;
      if (each.windowSeconds !== 0) this.#report(call, report, each, after[i]!, i, nowSeconds, timeUs);
    }
  }

  onLimitError(): void {
    this.#limited = false;
    this.errors++;
  }

  #ask(call: PlannedCall, hits: readonly number[] | null): void {
    this.#call = call;
    this.#limited = false;
    this.#limiter.limit(hits === null ? call.plan : withHits(call, hits), this);
  }

  #report(
    call: PlannedCall,
    report: RuleReport,
    each: DescriptorPlan,
    after: number,
    index: number,
    nowSeconds: number,
    timeUs: number,
  ): void {
    report.hits += each.hits;
    const shown = (): string => this.#shown(call, index);
    const inFlight = each.take!.algorithm === LimitAlgorithm.Concurrency;
    const counts = inFlight || !(each.takes || this.#options.allOrNothing || this.#options.holdBack);
    const most = inFlight ? Math.min(after, each.rule!.requestsPerUnit) : after;
    report.notePeak(each.key, shown, each.hits, counts ? most : -1, timeUs);
    if (!isOverLimit(each, after)) return;
    const refused = this.#limited && descriptorCode(each, after) === LimitCode.OverLimit;
    report.onOver(shown(), each.hits, timeUs, refused);
    if (!refused) return;
    this.#refusals?.push({
      rule: report.rule.fullKey,
      key: shown(),
      limit: limitText(report.rule),
      remaining: limitRemaining(each, after),
      resetSeconds: secondsUntilReset(each, nowSeconds),
    });
  }

  #planCall(request: LimitRequest | null, origins: readonly number[]): PlannedCall | null {
    if (request === null) return null;
    const plan = planRequest(this.config, request, this.#stats, this.#options);
    return {
      request,
      // Told for every limit, not only for the one of a descriptor that says most.
      plan: plan.statuses === null ? plan : { ...plan, statuses: null },
      statuses: plan.statuses,
      origins,
      reports: plan.descriptors.map(({ rule }, i) => {
        if (rule === null) return null;
        const { entries, limit } = request.descriptors[plan.statuses?.[i] ?? i]!;
        return limit === null
          ? (this.#reports.get(rule.take) ?? null)
          : this.#overrideReport(request.domain, entries, rule);
      }),
      givesBack: plan.descriptors.map((_, i) => request.descriptors[plan.statuses?.[i] ?? i]!.isNegativeHits === true),
      shown: plan.descriptors.map(() => null),
    };
  }

  /** The entries that a counter is of, with the pattern where values share one. */
  #shown(call: PlannedCall, index: number): string {
    let text = call.shown[index] ?? null;
    if (text === null) {
      const { domain, descriptors } = call.request;
      const { entries, limit } = descriptors[call.statuses?.[index] ?? index]!;
      const found = limit === null ? findRule(findDomain(this.config, domain)!, domain, entries, this.#stats) : null;
      text = entries.map(({ key, value }, i) => `${key}=${found?.counterValues[i] ?? value}`).join(',');
      call.shown[index] = text;
    }
    return text;
  }

  /** One report for the keys of a descriptor and a limit, whatever the values are. */
  #overrideReport(domain: string, entries: readonly DescriptorEntry[], rule: LimitRule): RuleReport {
    const keys = `${[domain, ...entries.map(({ key }) => key)].join('.')} (limit of the request)`;
    const own = `${keys} ${limitText(rule)}`;
    const name = this.#overrides.has(own) || this.#overrides.size < maxOverrideReports ? own : keys;
    let report = this.#overrides.get(name);
    if (report === undefined) {
      report = new RuleReport({ ...rule, fullKey: keys });
      this.#overrides.set(name, report);
    }
    return report;
  }

  #addReports(node: Pick<DescriptorNode, 'children'>): void {
    for (const child of node.children.values()) this.#addReportsOf(child);
  }

  #addReportsOf(node: DescriptorNode): void {
    for (const rule of node.rules) this.#reports.set(rule.take, new RuleReport(rule));
    this.#addReports(node);
  }
}

/** The plan with the hits of one line. */
function withHits(call: PlannedCall, hits: readonly number[]): RequestPlan {
  const { plan, statuses, origins } = call;
  let changed = false;
  const descriptors = plan.descriptors.map((each, i) => {
    const own = hits[origins[statuses?.[i] ?? i]!]!;
    if (each.windowSeconds === 0 || own === Math.abs(each.hits)) return each;
    changed = true;
    return { ...each, hits: each.hits < 0 ? -own : own };
  });
  return changed ? { ...plan, descriptors } : plan;
}
