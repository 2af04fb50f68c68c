import type { LimitCase } from './limit-cases.ts';

/** One round of one case with one service. */
export interface LimitFigure {
  /** Why the round does not count, or null. */
  readonly problem: string | null;
  /** CPU of the service, and of Redis, microseconds per call. */
  readonly cpuMicros: number;
  readonly redisMicros: number;
  readonly rate: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly residentMib: number;
}

/** Everything measured of one service: by case, a figure for each round. */
export interface LimitFigures {
  readonly name: string;
  readonly cases: Map<string, LimitFigure[]>;
}

/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The middle one of the ratios within the rounds, in brackets. */
function ratio(
  rounds: readonly LimitFigure[],
  reference: readonly LimitFigure[] | undefined,
  value: (figure: LimitFigure) => number,
): string {
  if (reference === undefined || reference === rounds || reference.some(({ problem }) => problem !== null)) return '';
  const ratios = rounds.map((figure, round) => value(figure) / value(reference[round]!));
  return ` (${median(ratios).toFixed(2)})`;
}

/** Prints a Markdown table: medians over the rounds, ratios to the reference service in brackets. */
export function printLimitTable(all: readonly LimitFigures[], cases: readonly LimitCase[]): void {
  const reference = all.find(({ name }) => name === 'reference');
  const row = (cells: readonly string[]): void => console.log(`| ${cells.join(' | ')} |`);
  row(['per call', ...all.map(({ name }) => name)]);
  row(['---', ...all.map(() => '---')]);
  for (const { name, description } of cases) {
    const line = (title: string, cell: (rounds: readonly LimitFigure[]) => string): void => {
      const cells = all.map(({ cases: measured }) => {
        const rounds = measured.get(name) ?? [];
        return rounds.find(({ problem }) => problem !== null)?.problem ?? cell(rounds);
      });
      row([`${description}: ${title}`, ...cells]);
    };
    const against = reference?.cases.get(name);
    const figure = (rounds: readonly LimitFigure[], value: (figure: LimitFigure) => number, digits: number): string =>
      median(rounds.map(value)).toFixed(digits) + ratio(rounds, against, value);
    line('CPU us', (rounds) => figure(rounds, ({ cpuMicros }) => cpuMicros, 1));
    line('CPU us of Redis', (rounds) => median(rounds.map(({ redisMicros }) => redisMicros)).toFixed(1));
    line('calls/s', (rounds) => median(rounds.map(({ rate }) => rate)).toFixed(0));
    line('p50 ms', (rounds) => figure(rounds, ({ p50Ms }) => p50Ms, 2));
    line('p99 ms', (rounds) => figure(rounds, ({ p99Ms }) => p99Ms, 2));
    line('resident MiB', (rounds) => median(rounds.map(({ residentMib }) => residentMib)).toFixed(0));
  }
}
