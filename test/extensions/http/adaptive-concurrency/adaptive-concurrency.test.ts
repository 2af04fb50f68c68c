import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FilterHeadersStatus } from '#gateway/api/http-filter.ts';
import { adaptiveConcurrencyExtension } from '#gateway/extensions/http/adaptive-concurrency/adaptive-concurrency-extension.ts';
import { nextLimit } from '#gateway/extensions/http/adaptive-concurrency/gradient-controller.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { FilterHarness } from '#test/support/filter-harness.ts';
import { type FilterStream, requestHead } from '#test/support/router-stream.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

class Adaptive {
  readonly time = new VirtualTime();
  readonly harness: FilterHarness;

  constructor(minRtt: object, limits: object = {}, fields: object = {}) {
    const json = {
      gradient_controller_config: {
        concurrency_limit_params: { concurrency_update_interval: '1s', ...limits },
        min_rtt_calc_params: minRtt,
      },
      ...fields,
    };
    const { time } = this;
    const overrides = { clock: time, timers: time.timers, random: createSeededRandom(7) };
    this.harness = new FilterHarness(adaptiveConcurrencyExtension, json, overrides);
  }

  /** A request; its end, or null when it was turned away. */
  begin(): { stream: FilterStream; answer: () => void } | null {
    const stream = this.harness.stream();
    if (stream.request(requestHead('GET', '/')) !== FilterHeadersStatus.Continue) return null;
    const { encoder } = this.harness.lastChain;
    return { stream, answer: () => void encoder!.encodeData(new Uint8Array(1), true) };
  }

  /** `count` requests of that latency, as many at once as the limit lets. */
  serve(count: number, latencyMs: number): void {
    for (let left = count; left > 0; ) {
      const batch = Array.from({ length: Math.min(left, this.stat('concurrency_limit')) }, () => this.begin());
      this.time.advance(latencyMs);
      for (const request of batch) request!.answer();
      left -= batch.length;
    }
  }

  stat(name: string): number {
    return this.harness.stat(`adaptive_concurrency.gradient_controller.${name}`);
  }
}

describe('adaptive_concurrency', () => {
  it('measures the smallest latency at the smallest limit, then follows the gradient', () => {
    const adaptive = new Adaptive({ interval: '60s', request_count: 10, min_concurrency: 2, jitter: { value: 0 } });
    assert.deepEqual([adaptive.stat('min_rtt_calculation_active'), adaptive.stat('concurrency_limit')], [1, 2]);
    adaptive.serve(10, 40);
    assert.deepEqual([adaptive.stat('min_rtt_calculation_active'), adaptive.stat('min_rtt_msecs')], [0, 40]);
    adaptive.serve(10, 40);
    adaptive.time.advance(1000);
    const grown = adaptive.stat('concurrency_limit');
    assert.equal(grown, Math.floor(2 * 1.25 + Math.sqrt(2 * 1.25)));
    assert.ok(adaptive.stat('gradient') >= 1200 && adaptive.stat('gradient') <= 1250);
    adaptive.serve(20, 400);
    adaptive.time.advance(1000);
    assert.equal(adaptive.stat('gradient'), 500);
    assert.ok(adaptive.stat('concurrency_limit') <= grown);
  });

  it('measures again after the interval and goes on with the limit it had', () => {
    const adaptive = new Adaptive({ interval: '5s', request_count: 4, min_concurrency: 2, jitter: { value: 0 } });
    adaptive.serve(4, 16);
    for (let i = 0; i < 3; i++) {
      adaptive.serve(4, 16);
      adaptive.time.advance(1000);
    }
    const limit = adaptive.stat('concurrency_limit');
    assert.ok(limit > 2);
    adaptive.time.advance(3000);
    assert.deepEqual([adaptive.stat('min_rtt_calculation_active'), adaptive.stat('concurrency_limit')], [1, 2]);
    adaptive.serve(4, 24);
    assert.deepEqual([adaptive.stat('min_rtt_msecs'), adaptive.stat('concurrency_limit')], [24, limit]);
  });

  it('five windows at the smallest limit lead to a measurement', () => {
    const adaptive = new Adaptive(
      { interval: '600s', request_count: 2, min_concurrency: 1, jitter: { value: 0 } },
      { max_concurrency_limit: 1 },
    );
    adaptive.serve(2, 8);
    for (let i = 0; i < 5; i++) {
      assert.equal(adaptive.stat('min_rtt_calculation_active'), 0);
      adaptive.serve(1, 80);
      adaptive.time.advance(1000);
    }
    assert.equal(adaptive.stat('min_rtt_calculation_active'), 1);
  });

  it('turns away what is above the limit; requests that end without an answer free their place', () => {
    const adaptive = new Adaptive(
      { fixed_value: '0.1s', min_concurrency: 1 },
      {},
      { concurrency_limit_exceeded_status: { code: 429 } },
    );
    const first = adaptive.begin();
    const stream = adaptive.harness.stream();
    assert.equal(stream.request(requestHead('GET', '/')), FilterHeadersStatus.StopIteration);
    assert.deepEqual(
      [stream.events[0], stream.body],
      ['reply 429 reached_concurrency_limit', 'reached concurrency limit'],
    );
    assert.equal(adaptive.stat('rq_blocked'), 1);
    first!.stream.filter.onDestroy();
    assert.notEqual(adaptive.begin(), null);
    assert.equal(adaptive.stat('min_rtt_msecs'), 100);
  });

  it('a configuration without interval and fixed value is refused', () => {
    assert.deepEqual(new Adaptive({}).harness.problems, [
      'gradient_controller_config.min_rtt_calc_params: one of interval and fixed_value is required',
    ]);
  });

  it('the gradient is bounded', () => {
    assert.deepEqual(nextLimit(16, 1000, 1000), { gradient: 1, headroom: 4, limit: 20 });
    assert.equal(nextLimit(100, 1, 1000).gradient, 0.5);
    assert.equal(nextLimit(100, 1000, 1).gradient, 2);
    assert.equal(nextLimit(100, 1000, 0).gradient, 2);
  });
});
