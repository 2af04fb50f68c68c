/**
 * Max-min fair sharing of `capacity`: the level at which everybody who wants less than it gets what it wants and all others get
 * the level, so that `sum(min(want, level)) <= capacity`. Infinity when there is enough for all. `wants` is sorted in place.
 */
export function fairLevel(wants: number[], capacity: number): number {
  wants.sort((a, b) => a - b);
  let left = capacity;
  for (let i = 0; i < wants.length; i++) {
    const share = left / (wants.length - i);
    if (wants[i]! > share) return Math.max(0, share);
    left -= wants[i]!;
  }
  return Number.POSITIVE_INFINITY;
}
