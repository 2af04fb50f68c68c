import type { StatSource } from '../stats/stat-source.ts';

/** Counts of the quota service. */
export class QuotaStats implements StatSource {
  /** Streams that are open. */
  streams = 0;
  /** Buckets that some stream has. */
  buckets = 0;
  /** Buckets of all streams. */
  subscriptions = 0;
  /** Streams that were opened. */
  streamsTotal = 0;
  /** Report messages. */
  reports = 0;
  /** Messages that could not be read, or without a domain. */
  malformed = 0;
  /** Usages that were not taken: too many buckets, or ids that are too long. */
  refused = 0;
  /** Assignments sent, those that only extend one included. */
  assignments = 0;
  abandons = 0;
  /** Requests that clients say they let through. */
  allowed = 0;
  /** Requests that clients say they denied. */
  denied = 0;
  /** Requests that were let through before they were taken from the limit: without an assignment, or on the way. */
  unpaid = 0;
  /** Answers of the store that were errors. */
  storeErrors = 0;

  /** Names and values, in the order they are printed. */
  *counters(): Generator<readonly [name: string, value: number]> {
    yield ['ratelimit.quota.streams_total', this.streamsTotal];
    yield ['ratelimit.quota.reports', this.reports];
    yield ['ratelimit.quota.malformed', this.malformed];
    yield ['ratelimit.quota.refused', this.refused];
    yield ['ratelimit.quota.assignments', this.assignments];
    yield ['ratelimit.quota.abandons', this.abandons];
    yield ['ratelimit.quota.requests_allowed', this.allowed];
    yield ['ratelimit.quota.requests_denied', this.denied];
    yield ['ratelimit.quota.requests_unpaid', this.unpaid];
    yield ['ratelimit.quota.store_errors', this.storeErrors];
  }

  /** Numbers of what is there now. */
  *gauges(): Generator<readonly [name: string, value: number]> {
    yield ['ratelimit.quota.streams', this.streams];
    yield ['ratelimit.quota.buckets', this.buckets];
    yield ['ratelimit.quota.subscriptions', this.subscriptions];
  }
}
