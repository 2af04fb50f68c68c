import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countUpTo, Distribution, quantilesOf, sumOf } from '#gateway/stats/distribution.ts';

function of(values: readonly number[]): Distribution {
  const distribution = new Distribution();
  for (const value of values) distribution.record(value);
  return distribution;
}

test('a single value lies in the middle of its bin', () => {
  const bins = of([1]).bins();
  assert.deepEqual(quantilesOf(bins, [0, 0.5, 1]), [1.05, 1.05, 1.05]);
  assert.equal(sumOf(bins).toFixed(6), '1.047619');
});

test('ten equal values spread over their bin as Envoy shows them', () => {
  const bins = of(new Array(10).fill(1)).bins();
  const shown = quantilesOf(bins, [0, 0.25, 0.5, 0.75, 0.9, 1]).map((value) => value.toFixed(6));
  assert.deepEqual(shown, ['1.009091', '1.027273', '1.045455', '1.072727', '1.081818', '1.090909']);
});

test('no values: no quantiles', () => {
  assert.deepEqual(quantilesOf([], [0.5]), [Number.NaN]);
  assert.equal(sumOf([]), 0);
});

test('a value is within its bin at every scale', () => {
  for (const value of [1e-6, 0.29, 0.3, 1, 9.9, 10, 29, 42, 99, 100, 105, 12_345, 1e9, 123_456_789_012]) {
    const [bin] = of([value]).bins();
    assert.ok(bin!.left <= value * (1 + 1e-9) && value < (bin!.left + bin!.width) * (1 + 1e-9), String(value));
    assert.ok(bin!.width <= bin!.left * 0.100001, String(value));
  }
});

test('cumulative bucket counts include the bound itself', () => {
  const bins = of([0, 0.4, 1, 5, 25, 25, 100]).bins();
  assert.deepEqual(
    [0.5, 1, 5, 10, 25, 50, 100].map((le) => countUpTo(bins, le)),
    [2, 3, 4, 4, 6, 6, 7],
  );
});

test('merging adds counts', () => {
  const all = of([0, 1, 2]);
  all.merge(of([2, 3000]));
  assert.equal(all.count, 5);
  assert.deepEqual(
    all.bins().map((bin) => [bin.left, bin.count]),
    [
      [0, 1],
      [1, 1],
      [2, 2],
      [3000, 1],
    ],
  );
});
