/** Counts of one limit; the names are the reference service's. `nearLimit` and the rest follow {@link recordDecision}. */
export class LimitStats {
  /** Domain and keys, cleaned for statsd. */
  readonly key: string;
  totalHits = 0;
  overLimit = 0;
  nearLimit = 0;
  overLimitWithLocalCache = 0;
  withinLimit = 0;
  shadowMode = 0;
  /** Hits that were given back. */
  totalNegativeHits = 0;
  /** Hits that were let through because of an exemption. */
  exempted = 0;
  /**
   * Where to count: itself, or once its name was dropped the statistics that the dropped ones share. Plans hold on to
   * statistics longer than {@link StatsStore} does, so whoever counts asks for it each time.
   */
  live: LimitStats = this;

  constructor(key: string) {
    this.key = cleanStatName(key);
  }

  /** Moves all counts to `other`, and those to come as well. */
  foldInto(other: LimitStats): void {
    other.totalHits += this.totalHits;
    other.overLimit += this.overLimit;
    other.nearLimit += this.nearLimit;
    other.overLimitWithLocalCache += this.overLimitWithLocalCache;
    other.withinLimit += this.withinLimit;
    other.shadowMode += this.shadowMode;
    other.totalNegativeHits += this.totalNegativeHits;
    other.exempted += this.exempted;
    this.live = other;
  }
}

/** The names of {@link limitStatValues}. */
export const limitStatNames: readonly string[] = limitStatValues(new LimitStats('')).map(([name]) => name);

/** Names and values, in the order they are printed. */
export function limitStatValues(stats: LimitStats): readonly (readonly [name: string, value: number])[] {
  return [
    ['exempted', stats.exempted],
    ['near_limit', stats.nearLimit],
    ['over_limit', stats.overLimit],
    ['over_limit_with_local_cache', stats.overLimitWithLocalCache],
    ['shadow_mode', stats.shadowMode],
    ['total_hits', stats.totalHits],
    ['total_negative_hits', stats.totalNegativeHits],
    ['within_limit', stats.withinLimit],
  ];
}

/** Colons and bars mean something in statsd, and the dots of an IPv4 address would become levels of the name. */
export function cleanStatName(name: string): string {
  return name
    .replaceAll(/[:|]/g, '_')
    .replaceAll(/\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}/g, (address) => address.replaceAll('.', '_'));
}

/** The count above which a limit is "near", in 32-bit floating point as the reference computes it. */
export function nearLimitThreshold(limit: number, ratio: number): number {
  return Math.floor(Math.fround(Math.fround(limit) * Math.fround(ratio)));
}

/**
 * Counts one decision. `after` is the counter with this call's `hits` in it; over the limit means `after > limit`.
 * Hits that straddle a threshold are split: only the part beyond it counts as near or over.
 */
export function recordDecision(
  { live: stats }: LimitStats,
  limit: number,
  near: number,
  after: number,
  hits: number,
  shadow: boolean,
): void {
  const before = after - hits;
  if (after <= limit) {
    stats.withinLimit += hits;
    // Below zero: the hits were asked for but held back, and the reference counts them as if they came last.
    if (after > near) stats.nearLimit += before >= near || before < 0 ? hits : after - near;
    return;
  }
  const over = before >= limit ? hits : after - limit;
  stats.overLimit += over;
  if (before < limit) stats.nearLimit += limit - Math.max(near, before);
  if (shadow) stats.shadowMode += over;
}
