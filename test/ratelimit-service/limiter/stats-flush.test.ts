import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { StatsStore } from '#ratelimit/limiter/stats-store.ts';
import { StatsFlusher } from '#ratelimit/service/stats-flusher.ts';
import type { StatsSink } from '#ratelimit/stats/stats-sink.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

/** Adds up what it is sent, as a statsd server does. */
class SummingSink implements StatsSink {
  readonly sums: Map<string, number> = new Map();
  counter(name: string, increase: number): void {
    assert.ok(increase > 0, name);
    this.sums.set(name, (this.sums.get(name) ?? 0) + increase);
  }
  gauge(): void {}
  timer(): void {}
  flush(): void {}
  async close(): Promise<void> {
    await Promise.resolve();
  }
  total(suffix: string): number {
    let total = 0;
    for (const [name, sum] of this.sums) if (name.endsWith(suffix)) total += sum;
    return total;
  }
}

test('what sinks are sent adds up to what was counted, though names come, go and come again', async () => {
  const time = new VirtualTime();
  const stats = new StatsStore(20);
  const sink = new SummingSink();
  const flusher = new StatsFlusher(sink, stats, 10_000, time.timers);
  flusher.start();
  const random = createSeededRandom(3);
  let hits = 0;
  let domains = 0;
  for (let i = 0; i < 20_000; i++) {
    const count = 1 + Math.floor(random.next() * 3);
    stats.dynamic(`d.k_${Math.floor(300 ** random.next())}`, 'd').live.totalHits += count;
    hits += count;
    if (i % 3 === 0) {
      stats.domainNotFound(`domain_${Math.floor(100 ** random.next())}`);
      domains++;
    }
    if (i % 50 === 0) time.advance(10_000);
  }
  await flusher.close();
  assert.equal(sink.total('.total_hits'), hits);
  assert.equal(sink.total('.domain_not_found'), domains);
  assert.ok(sink.sums.get('ratelimit.service.rate_limit.d.other.total_hits')! > 0);
});
