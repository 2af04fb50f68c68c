import type { RateLimitQuotaResponse } from '#proto-types/envoy/service/rate_limit_quota/v3/rlqs_pb.ts';
import type { VirtualTime } from '#test/support/virtual-time.ts';
import { RawStream, type Replica } from './quota-world.ts';

/** What Envoy does with the tokens of a bucket that another one replaces: its own way, or the API's (a new one is full). */
export type CarryOver = 'envoy' | 'api';

/** A proxy with one bucket: lets through what it was assigned, denies without an assignment, reports from time to time. */
export class QuotaClient {
  readonly id: string;
  passed = 0;
  #stream: RawStream | null = null;
  readonly #time: VirtualTime;
  readonly #carryOver: CarryOver;
  #max = 0;
  #tokens = 0;
  /** Tokens a second. */
  #rate = 0;
  #filledAtMs = 0;
  #expiresAtMs = 0;
  #allowed = 0;
  #denied = 0;
  #reportAtMs: number;
  readonly #intervalMs: number;

  constructor(id: string, time: VirtualTime, carryOver: CarryOver, firstReportMs: number, intervalMs: number) {
    this.#intervalMs = intervalMs;
    this.id = id;
    this.#time = time;
    this.#carryOver = carryOver;
    this.#reportAtMs = time.nowMs() + firstReportMs;
  }

  get connected(): boolean {
    return this.#stream !== null;
  }

  /** Requests a second that it may let through for ever, with what it was told last. */
  get rate(): number {
    return this.#time.nowMs() < this.#expiresAtMs ? this.#rate : 0;
  }

  /** What it may let through at once. */
  get tokens(): number {
    this.#fill();
    return Math.floor(this.#tokens);
  }

  /** Requests let through that the service has not heard of. */
  get unreported(): number {
    return this.#allowed;
  }

  connect(replica: Replica): void {
    this.#stream = new RawStream(replica);
    this.#stream.onResponse = (response) => this.#apply(response);
  }

  /** The connection is lost: what it was assigned stays in force. */
  disconnect(): void {
    this.#stream?.handler.onReset();
    this.#stream = null;
  }

  /** `requests` arrive. */
  arrive(requests: number): void {
    this.#fill();
    const passing = Math.min(requests, Math.floor(this.#tokens));
    this.#tokens -= passing;
    this.passed += passing;
    this.#allowed += passing;
    this.#denied += requests - passing;
  }

  /** Reports when it is time. */
  tick(): void {
    if (this.#time.nowMs() < this.#reportAtMs) return;
    this.#reportAtMs += this.#intervalMs;
    if (this.#stream === null) return;
    this.#stream.report('d', [this.id, this.#allowed, this.#denied]);
    this.#allowed = 0;
    this.#denied = 0;
  }

  #fill(): void {
    const nowMs = this.#time.nowMs();
    if (nowMs >= this.#expiresAtMs) this.#tokens = 0;
    else this.#tokens = Math.min(this.#max, this.#tokens + (this.#rate * (nowMs - this.#filledAtMs)) / 1000);
    this.#filledAtMs = nowMs;
  }

  #apply({ bucketAction }: RateLimitQuotaResponse): void {
    this.#fill();
    for (const { bucketAction: action } of bucketAction) {
      if (action.case !== 'quotaAssignmentAction') continue;
      this.#expiresAtMs = this.#time.nowMs() + Number(action.value.assignmentTimeToLive!.seconds) * 1000;
      const strategy = action.value.rateLimitStrategy!.strategy;
      if (strategy.case === 'blanketRule') {
        this.#max = strategy.value === 0 ? Number.POSITIVE_INFINITY : 0;
        this.#tokens = this.#max;
        this.#rate = 0;
      } else if (strategy.case === 'tokenBucket') {
        const { maxTokens, tokensPerFill, fillInterval } = strategy.value;
        const rate = Number(tokensPerFill) / Number(fillInterval!.seconds);
        const same = maxTokens === this.#max && rate === this.#rate;
        const full = this.#max === 0 || this.#carryOver === 'api';
        if (!same) this.#tokens = full ? maxTokens : (maxTokens * this.#tokens) / this.#max;
        this.#max = maxTokens;
        this.#rate = rate;
      }
    }
  }
}
