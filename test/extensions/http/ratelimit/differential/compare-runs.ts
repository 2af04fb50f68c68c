import type { EdgeRun } from './run-edge.ts';

/** A difference as text. */
export function differences(ours: EdgeRun, theirs: EdgeRun): string[] {
  const found: string[] = [];
  const compare = (own: unknown, other: unknown, about: string): void => {
    const [a, b] = [canonical(own), canonical(other)];
    if (a !== b) found.push(`${about}\n  ours:   ${a}\n  theirs: ${b}`);
  };
  for (const [name, outcomes] of theirs.outcomes) {
    outcomes.forEach((outcome, i) => {
      const own = ours.outcomes.get(name)![i]!;
      const about = `${name} request ${i} ${JSON.stringify(outcome.request)}`;
      compare(own.asked, outcome.asked, `${about}: asked`);
      compare(own.answer, outcome.answer, `${about}: answer`);
    });
    theirs.logs.get(name)!.forEach((line, i) => {
      compare(ours.logs.get(name)![i], line, `${name} log ${i} ${JSON.stringify(outcomes[i]?.request)}`);
    });
  }
  const onlyOurs = ours.counters.filter((line) => !theirs.counters.includes(line));
  const onlyTheirs = theirs.counters.filter((line) => !ours.counters.includes(line));
  compare(onlyOurs, onlyTheirs, 'counters');
  return found;
}

/** JSON with the names of objects in order. */
function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_, each: unknown) =>
      each !== null && typeof each === 'object' && !Array.isArray(each)
        ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
        : each,
    ) ?? 'undefined'
  );
}
