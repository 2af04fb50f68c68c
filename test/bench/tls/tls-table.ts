import type { TlsCase } from './tls-cases.ts';

/** Figures of one proxy and case. */
export interface TlsFigure {
  /** CPU microseconds per connection or request, one a round. */
  readonly micros: number[];
  /** Connections or requests measured in all. */
  count: number;
  /** Why the case does not count, or null. */
  problem: string | null;
}

/** Everything measured of one proxy. */
export interface TlsFigures {
  readonly name: string;
  readonly cases: Map<string, TlsFigure>;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function cell(figure: TlsFigure | undefined, reference: TlsFigure | undefined): string {
  if (figure === undefined) return '-';
  if (figure.problem !== null) return `INVALID: ${figure.problem}`;
  const middle = median(figure.micros);
  const digits = middle < 100 ? 1 : 0;
  if (reference === undefined || reference.problem !== null) return middle.toFixed(digits);
  // Each round compares neighbours in time.
  const ratio = median(figure.micros.map((micros, round) => micros / (reference.micros[round] ?? Number.NaN)));
  return `${middle.toFixed(digits)} (${ratio.toFixed(2)})`;
}

/** Prints a Markdown table: a line a case, a column a proxy; medians over the rounds, ratios to Envoy in brackets. */
export function printTlsTable(all: readonly TlsFigures[], cases: readonly TlsCase[]): void {
  const envoy = all.find(({ name }) => name === 'envoy');
  const row = (cells: readonly string[]): void => console.log(`| ${cells.join(' | ')} |`);
  row(['CPU us, median (ratio to Envoy)', ...all.map(({ name }) => name)]);
  row(['---', ...all.map(() => '---')]);
  for (const { name, description } of cases) {
    if (all.every((proxy) => !proxy.cases.has(name))) continue;
    row([description, ...all.map((proxy) => cell(proxy.cases.get(name), envoy?.cases.get(name)))]);
  }
}
