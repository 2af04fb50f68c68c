import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { type LimitStats, limitStatValues } from '#ratelimit/limiter/limit-stats.ts';
import { StatsStore } from '#ratelimit/limiter/stats-store.ts';

/** The hits of all names together. */
function totalHits(stats: StatsStore): number {
  return [...stats.limits()].reduce((sum, limit) => sum + limit.totalHits, 0);
}

test('names are bounded, the hot ones stay, and no hit is lost', () => {
  const max = 500;
  const stats = new StatsStore(max);
  const random = createSeededRandom(7);
  const held = new Map<string, LimitStats>();
  const hot = new Map<string, number>();
  let hits = 0;
  for (let i = 0; i < 200_000; i++) {
    // By Zipf's law; the hot ones are others in the second half.
    const half = i < 100_000 ? 'a' : 'b';
    const key = `d.${half}_${Math.floor(50_000 ** random.next())}`;
    // A plan holds on to what it got: also when the name was dropped meanwhile.
    let limit = random.next() < 0.5 ? held.get(key) : undefined;
    limit ??= stats.dynamic(key, 'd');
    held.set(key, limit);
    const count = 1 + Math.floor(random.next() * 3);
    limit.live.totalHits += count;
    hits += count;
    if (half === 'b') hot.set(key, (hot.get(key) ?? 0) + count);
  }
  assert.equal(totalHits(stats), hits);
  const names = new Set([...stats.limits()].map(({ key }) => key));
  assert.ok(names.size <= max + 1, `${names.size}`);
  assert.ok(names.has('d.other'));
  const hottest = [...hot].sort((a, b) => b[1] - a[1]).slice(0, max / 10);
  assert.deepEqual(
    hottest.filter(([key]) => !names.has(key)),
    [],
  );
});

test('each domain has its own rest, with every counter of the dropped', () => {
  const stats = new StatsStore(1);
  const first = stats.dynamic('a.k_1', 'a');
  for (const name of ['totalHits', 'overLimit', 'nearLimit', 'overLimitWithLocalCache', 'withinLimit'] as const) {
    first[name] = 3;
  }
  first.shadowMode = 3;
  first.totalNegativeHits = 3;
  first.exempted = 3;
  const second = stats.dynamic('b.k_1', 'b');
  second.totalHits = 5;
  stats.dynamic('c.k_1', 'c');
  const byName = new Map([...stats.limits()].map((limit) => [limit.key, limit]));
  assert.deepEqual([...byName.keys()], ['a.other', 'b.other', 'c.k_1']);
  for (const [name, value] of limitStatValues(byName.get('a.other')!)) assert.equal(value, 3, name);
  assert.equal(byName.get('b.other')!.totalHits, 5);
  assert.equal(first.live, byName.get('a.other'));
});

test('a name that a configuration has is never dropped, nor counted twice', () => {
  const stats = new StatsStore(2);
  const made = stats.dynamic('d.k_1', 'd');
  made.live.totalHits += 2;
  const configured = stats.configured('d.k_1');
  configured.live.totalHits += 3;
  assert.equal(stats.dynamic('d.k_1', 'd'), configured);
  for (let i = 0; i < 100; i++) stats.dynamic(`d.x_${i}`, 'd').live.totalHits++;
  assert.equal(configured.live, configured);
  assert.deepEqual(
    [...stats.limits()].filter(({ key }) => key === 'd.k_1').map((limit) => limit.totalHits),
    [5],
  );
  assert.equal(totalHits(stats), 105);
});

test('names that look the same once they are clean are one', () => {
  const stats = new StatsStore();
  assert.equal(stats.dynamic('d.a:b', 'd'), stats.dynamic('d.a|b', 'd'));
  assert.equal(stats.configured('d.c:d'), stats.configured('d.c|d'));
});

test('a name that is far too long, and every one when there is no room, counts as the rest', () => {
  const stats = new StatsStore();
  assert.equal(stats.dynamic(`d.${'x'.repeat(2000)}`, 'd').key, 'd.other');
  assert.equal(new StatsStore(0).dynamic('d.k_1', 'd').key, 'd.other');
});

test('domains that no file has are bounded as well', () => {
  const stats = new StatsStore(100);
  for (let i = 0; i < 5000; i++) {
    stats.domainNotFound('often');
    stats.domainNotFound(`once_${i}`);
  }
  const counts = stats.domainsNotFound;
  assert.ok(counts.size <= 101);
  assert.equal(counts.get('often'), 5000);
  assert.equal(
    [...counts.values()].reduce((sum, count) => sum + count, 0),
    10_000,
  );
});
