import type { RateRules } from './outlier-config.ts';

/** Answers of one host in one interval. */
export class RateBucket {
  total = 0;
  succeeded = 0;

  add(success: boolean): void {
    this.total++;
    if (success) this.succeeded++;
  }

  /** Percent; -1 when there were no answers. */
  get rate(): number {
    return this.total === 0 ? -1 : (100 * this.succeeded) / this.total;
  }
}

/** A host's last interval. */
export interface HostRate<H> {
  readonly host: H;
  readonly bucket: RateBucket;
}

/** Hosts found, and what they were compared with (percent; -1: not enough to compare). */
export interface RateFindings<H> {
  readonly average: number;
  readonly ejectionThreshold: number;
  readonly tooLow: readonly H[];
  readonly tooManyFailures: readonly H[];
}

/** Finds hosts whose success rate lies too far below the mean, or whose failures are too many. Pure. */
export function judgeRates<H>(hosts: readonly HostRate<H>[], rules: RateRules): RateFindings<H> {
  const compared = hosts.filter(({ bucket }) => bucket.total > 0 && bucket.total >= rules.successRequestVolume);
  let average = -1;
  let ejectionThreshold = -1;
  let tooLow: H[] = [];
  if (compared.length > 0 && compared.length >= rules.successMinimumHosts) {
    const mean = compared.reduce((sum, { bucket }) => sum + bucket.rate, 0) / compared.length;
    const variance = compared.reduce((sum, { bucket }) => sum + (bucket.rate - mean) ** 2, 0) / compared.length;
    const threshold = mean - rules.successStdevFactor * Math.sqrt(variance);
    average = mean;
    ejectionThreshold = threshold;
    tooLow = compared.filter(({ bucket }) => bucket.rate < threshold).map(({ host }) => host);
  }
  const counted = hosts.filter(({ bucket }) => bucket.total > 0 && bucket.total >= rules.failureRequestVolume);
  const tooManyFailures =
    counted.length > 0 && counted.length >= rules.failureMinimumHosts
      ? counted.filter(({ bucket }) => 100 - bucket.rate >= rules.failureThreshold).map(({ host }) => host)
      : [];
  return { average, ejectionThreshold, tooLow, tooManyFailures };
}
