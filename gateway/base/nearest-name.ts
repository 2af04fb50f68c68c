/** Letters only, in lower case: so that `connectTimeout`, `connect-timeout` and `connect_timeout` are one. */
function plain(name: string): string {
  return name.replace(/[^a-zA-Z0-9]/g, '').toLowerCase();
}

/** Number of single-letter changes, swaps of neighbours included, between two words. */
export function editDistance(from: string, to: string): number {
  let before: number[] = [];
  let previous: number[] = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1];
      let best = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]) {
        best = Math.min(best, before[j - 2]! + 1);
      }
      row.push(best);
    }
    before = previous;
    previous = row;
  }
  return previous[to.length]!;
}

/** The candidate that `name` was probably meant to be, null when none is near enough. */
export function nearestName(name: string, candidates: Iterable<string>): string | null {
  const wanted = plain(name);
  if (wanted === '') return null;
  let best: string | null = null;
  const limit = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  let bestScore = limit;
  for (const candidate of candidates) {
    const score = nearness(wanted, plain(candidate), limit);
    if (score < bestScore) {
      best = candidate;
      bestScore = score;
    }
  }
  return best;
}

function nearness(wanted: string, candidate: string, limit: number): number {
  if (wanted === candidate) return 0;
  // One name cut short or drawn out at its end is a likely slip, however many letters it is.
  if (wanted.length >= 4 && candidate.length >= 4 && (candidate.startsWith(wanted) || wanted.startsWith(candidate))) {
    return Math.min(limit - 0.5, Math.abs(candidate.length - wanted.length));
  }
  return Math.abs(candidate.length - wanted.length) >= limit ? limit : editDistance(wanted, candidate);
}
