import { type Bin, countUpTo, quantilesOf } from '#gateway/stats/distribution.ts';
import { shownQuantiles } from '#gateway/stats/prometheus.ts';
import type { StoreHistogram } from '#gateway/stats/store-histogram.ts';

/** How histograms are shown. */
export type HistogramMode = 'summary' | 'cumulative' | 'disjoint';

/** A quantile in per cent, without rounding noise: 0.995 is 99.5. */
export function percentOf(quantile: number): number {
  return Number((quantile * 100).toPrecision(6));
}

/** Six significant digits, as Envoy writes bucket bounds: 1.8e+06. */
function bound(value: number): string {
  const text = value >= 1e6 ? value.toExponential() : String(value);
  return text.replace(/e\+(\d)$/, 'e+0$1');
}

/** One histogram as a line of `/stats`, without its name. */
export function histogramText(
  histogram: StoreHistogram,
  mode: HistogramMode,
  bucketsFor: (name: string) => readonly number[],
): string {
  if (histogram.cumulative.count === 0) return 'No recorded values';
  const interval = histogram.interval.bins();
  const cumulative = histogram.cumulative.bins();
  if (mode === 'summary') {
    const now = quantilesOf(interval, shownQuantiles);
    const all = quantilesOf(cumulative, shownQuantiles);
    return shownQuantiles.map((q, i) => `P${percentOf(q)}(${number(now[i]!)},${number(all[i]!)})`).join(' ');
  }
  return bucketCounts(interval, cumulative, bucketsFor(histogram.name), mode)
    .map((bucket) => `B${bound(bucket.upper_bound)}(${bucket.interval},${bucket.cumulative})`)
    .join(' ');
}

function number(value: number): string {
  return Number.isNaN(value) ? 'nan' : String(value);
}

/** Counts of the interval and of everything in each bucket; `disjoint`: without those of the buckets below. */
export function bucketCounts(
  interval: readonly Bin[],
  cumulative: readonly Bin[],
  bounds: readonly number[],
  mode: HistogramMode,
): { upper_bound: number; interval: number; cumulative: number }[] {
  let below = { interval: 0, cumulative: 0 };
  return bounds.map((upper) => {
    const upTo = { interval: countUpTo(interval, upper), cumulative: countUpTo(cumulative, upper) };
    const shown =
      mode === 'disjoint'
        ? { interval: upTo.interval - below.interval, cumulative: upTo.cumulative - below.cumulative }
        : upTo;
    below = upTo;
    return { upper_bound: upper, ...shown };
  });
}
