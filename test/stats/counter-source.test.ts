import assert from 'node:assert/strict';
import { it } from 'node:test';
import { StatsStore } from '#gateway/stats/store.ts';

it('counters of others are shown among the own, as they are now, and count from zero after a reset', () => {
  const values = new Map([
    ['m.a', 3],
    ['m.b', 0],
    ['hidden', 1],
  ]);
  const store = new StatsStore({ accepts: (name) => name !== 'hidden' });
  store.root.counter('n').inc();
  store.addSource({
    counters: () => [...values].map(([name, value]) => ({ name, value })),
    gauges: () => [
      { name: 'hidden', value: 1 },
      { name: 'g', value: 4 },
    ],
  });
  assert.deepEqual(
    store.gauges().map(({ name, value }) => `${name}=${value}`),
    ['g=4'],
  );
  const shown = (): string =>
    store
      .counters()
      .map(({ name, value, used }) => `${name}=${value}${used ? '' : ' unused'}`)
      .join(', ');
  assert.equal(shown(), 'm.a=3, m.b=0 unused, n=1');
  store.resetCounters();
  values.set('m.a', 5);
  assert.equal(shown(), 'm.a=2, m.b=0 unused, n=0');
  values.set('m.a', 1); // forgotten and begun anew
  values.delete('m.b');
  assert.equal(shown(), 'm.a=1, n=0');
});
