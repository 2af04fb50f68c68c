import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cleanStatName, LimitStats, nearLimitThreshold, recordDecision } from '#ratelimit/limiter/limit-stats.ts';

const vectors: readonly (readonly [
  limit: number,
  hits: number,
  after: number,
  over: number,
  near: number,
  within: number,
])[] = [
  [15, 1, 11, 0, 0, 1],
  [15, 1, 13, 0, 1, 1],
  [15, 1, 16, 1, 0, 0],
  [20, 3, 5, 0, 0, 3],
  [8, 2, 7, 0, 1, 2],
  [10, 5, 12, 2, 2, 0],
];

test('near, over and within are split at the thresholds', () => {
  for (const [limit, hits, after, over, near, within] of vectors) {
    const stats = new LimitStats('k');
    recordDecision(stats, limit, nearLimitThreshold(limit, 0.8), after, hits, false);
    assert.deepEqual(
      [stats.overLimit, stats.nearLimit, stats.withinLimit],
      [over, near, within],
      `${limit},${hits},${after}`,
    );
  }
});

test('names are cleaned for statsd', () => {
  assert.equal(cleanStatName('d.ip_10.0.0.1.a:b|c'), 'd.ip_10_0_0_1.a_b_c');
});
