/** Up to this many milliseconds each has a count of its own. */
const fineMs = 1000;
/** Above, so many milliseconds share a count, which stands for the largest of them. */
const coarseMs = 50;
/** What takes longer is counted as this. */
const longestMs = 60_000;
const places = fineMs + 1 + (longestMs - fineMs) / coarseMs;

/** How long calls took, in whole milliseconds as in the reference: counts by length, so that a call costs an increment. */
export class ResponseTimes {
  /** Calls by {@link placeMs}. */
  readonly counts: Float64Array = new Float64Array(places);
  /** All calls. */
  count = 0;
  /** All their whole milliseconds. */
  sumMs = 0;

  /** Counts one call; fractions of a millisecond are dropped. */
  record(ms: number): void {
    const whole = ms > 0 ? Math.floor(ms) : 0;
    this.count++;
    this.sumMs += whole;
    const place = whole <= fineMs ? whole : fineMs + Math.ceil((whole - fineMs) / coarseMs);
    this.counts[place < places ? place : places - 1]!++;
  }
}

/** Milliseconds that a place in `counts` stands for. */
export function placeMs(place: number): number {
  return place <= fineMs ? place : fineMs + (place - fineMs) * coarseMs;
}
