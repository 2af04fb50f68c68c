import type { GrpcAsyncClient } from '#gateway/api/async-client.ts';
import type { ServerContext } from '#gateway/api/context.ts';
import type { Logger } from '#gateway/base/log.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import { decodeMessage } from '#gateway/proto/registry.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import type {
  RateLimitQuotaResponse_BucketAction as BucketActionMessage,
  RateLimitQuotaResponse,
} from '#proto-types/envoy/service/rate_limit_quota/v3/rlqs_pb.ts';
import type { BucketBehavior } from './bucket-action.ts';
import { type BucketId, readBucketId } from './bucket-id.ts';
import { QuotaBucket } from './quota-bucket.ts';
import { QuotaClientStats } from './quota-client-stats.ts';
import { allowAll, compileStrategy } from './quota-strategy.ts';
import { QuotaStream, type QuotaStreamOwner } from './quota-stream.ts';
import { ReportTimer, type ReportTimerOwner } from './report-timer.ts';
import { writeUsageReports } from './usage-report.ts';

const responseType = 'envoy.service.rate_limit_quota.v3.RateLimitQuotaResponse';

/** Buckets of one domain at a time; ids often come from requests, so that clients could make up any number. */
export const maxBuckets = 10_000;
/** Longest id, characters. */
const maxIdLength = 4096;
/** A bucket without an assignment that nobody used for as long is given up: this, or ten reports if that is longer. */
const idleMs = 60_000;
const idleReports = 10;

/**
 * The client of a quota service for one domain: its buckets, their assignments, and the one stream that usage goes out on.
 * Shared by every filter with that service and domain.
 */
export class QuotaClient implements QuotaStreamOwner, ReportTimerOwner {
  readonly #domain: string;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #log: Logger;
  readonly #stats: QuotaClientStats;
  readonly #stream: QuotaStream;
  readonly #buckets = new Map<string, QuotaBucket>();
  readonly #reportTimers = new Map<number, ReportTimer>();
  /** Buckets with usage of which it is not sure that it arrived. */
  readonly #unanswered = new Set<QuotaBucket>();

  constructor(domain: string, grpc: GrpcAsyncClient, server: ServerContext) {
    this.#domain = domain;
    this.#clock = server.clock;
    this.#timers = server.timers;
    this.#log = server.logs.get('rate_limit_quota');
    this.#stats = new QuotaClientStats(server.stats.scope(`rate_limit_quota.${domain}`));
    this.#stream = new QuotaStream(grpc, server, this);
  }

  /** The bucket whose id has that text, if there is one. */
  find(idText: string): QuotaBucket | null {
    return this.#buckets.get(idText) ?? null;
  }

  /** Whether one more bucket may be made with an id of that text; counts when not. */
  hasRoom(idText: string): boolean {
    if (this.#buckets.size < maxBuckets && idText.length <= maxIdLength) return true;
    this.#stats.bucketOverflow.inc();
    return false;
  }

  /** Makes a bucket. Its first request is to be taken right away, then `announce` tells the service. */
  create(id: BucketId, behavior: BucketBehavior): QuotaBucket {
    const bucket = new QuotaBucket(id, behavior, this.#clock);
    this.#buckets.set(id.text, bucket);
    this.#stats.buckets.set(this.#buckets.size);
    const { reportingIntervalMs: intervalMs } = behavior;
    let timer = this.#reportTimers.get(intervalMs);
    if (timer === undefined) {
      timer = new ReportTimer(intervalMs, this.#timers, this);
      this.#reportTimers.set(intervalMs, timer);
    }
    timer.add(bucket);
    return bucket;
  }

  /** Reports a bucket for the first time: the service takes that for the wish to be assigned a quota. */
  announce(bucket: QuotaBucket): void {
    this.#stream.start();
    this.#report([bucket]);
    this.#stats.connected.set(this.#stream.isOpen ? 1 : 0);
  }

  /** Lets go of everything. */
  close(): void {
    this.#stream.close();
    for (const timer of this.#reportTimers.values()) timer.stop();
    this.#buckets.clear();
    this.#unanswered.clear();
    this.#stats.buckets.set(0);
    this.#stats.connected.set(0);
  }

  onReportDue(due: ReportTimer): void {
    this.#report(due.buckets);
    const unusedMs = Math.max(idleMs, idleReports * due.intervalMs);
    const nowMs = this.#clock.nowMs();
    for (const bucket of due.buckets) {
      const unused = bucket.allowed + bucket.denied === 0 && nowMs - bucket.usedMs >= unusedMs;
      if (unused && !bucket.assigned) this.#abandon(bucket);
    }
  }

  onStreamReopened(): void {
    this.#stats.connected.set(1);
    this.#report(this.#buckets.values());
  }

  onStreamMessage(octets: Uint8Array): boolean {
    let response: RateLimitQuotaResponse;
    try {
      response = decodeMessage<RateLimitQuotaResponse>(responseType, octets);
    } catch {
      return false;
    }
    this.#forgetUnanswered();
    for (const action of response.bucketAction) {
      if (this.#apply(action)) continue;
      this.#stats.ignoredActions.inc();
      if (this.#log.debugOn) this.#log.debug(`${this.#domain}: the service's action cannot be followed`);
    }
    return true;
  }

  onStreamClosed(established: boolean, why: string): void {
    this.#stats.connected.set(0);
    this.#stats.streamFailures.inc();
    if (established) this.#forgetUnanswered();
    else this.#takeBackUnanswered();
    if (this.#log.debugOn) this.#log.debug(`${this.#domain}: the stream to the quota service ended: ${why}`);
  }

  #report(buckets: Iterable<QuotaBucket>): void {
    if (!this.#stream.isOpen) return;
    const nowMs = this.#clock.nowMs();
    if (this.#stream.established) this.#forgetUnanswered();
    else buckets = this.#markUnanswered(buckets);
    for (const message of writeUsageReports(this.#domain, buckets, nowMs)) {
      this.#stats.reports.inc();
      this.#stream.send(message);
    }
  }

  #markUnanswered(buckets: Iterable<QuotaBucket>): QuotaBucket[] {
    const marked = [...buckets];
    for (const bucket of marked) {
      if (!this.#unanswered.has(bucket)) bucket.unansweredSinceMs = bucket.reportedMs;
      bucket.unansweredAllowed += bucket.allowed;
      bucket.unansweredDenied += bucket.denied;
      this.#unanswered.add(bucket);
    }
    return marked;
  }

  #takeBackUnanswered(): void {
    for (const bucket of this.#unanswered) {
      bucket.allowed += bucket.unansweredAllowed;
      bucket.denied += bucket.unansweredDenied;
      bucket.reportedMs = bucket.unansweredSinceMs;
    }
    this.#forgetUnanswered();
  }

  #forgetUnanswered(): void {
    for (const bucket of this.#unanswered) {
      bucket.unansweredAllowed = 0;
      bucket.unansweredDenied = 0;
    }
    this.#unanswered.clear();
  }

  /** False: the action makes no sense. */
  #apply({ bucketId, bucketAction }: BucketActionMessage): boolean {
    const bucket = this.#buckets.get(readBucketId(bucketId?.bucket ?? {}).text);
    if (bucket === undefined) return false;
    if (bucketAction.case === 'abandonAction') {
      this.#abandon(bucket);
      return true;
    }
    if (bucketAction.case !== 'quotaAssignmentAction') return false;
    const { assignmentTimeToLive, rateLimitStrategy } = bucketAction.value;
    const timeToLiveMs = durationMs(assignmentTimeToLive, Number.POSITIVE_INFINITY);
    const strategy = rateLimitStrategy === undefined ? allowAll : compileStrategy(rateLimitStrategy);
    if (strategy === null || timeToLiveMs < 0) return false;
    bucket.assign(strategy, timeToLiveMs);
    this.#stats.assignments.inc();
    return true;
  }

  #abandon(bucket: QuotaBucket): void {
    this.#buckets.delete(bucket.id.text);
    this.#reportTimers.get(bucket.behavior.reportingIntervalMs)?.remove(bucket);
    this.#unanswered.delete(bucket);
    this.#stats.abandoned.inc();
    this.#stats.buckets.set(this.#buckets.size);
  }
}
