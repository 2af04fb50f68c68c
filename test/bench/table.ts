import type { BenchCase } from './cases.ts';

/** Figures of one proxy and case; only `problem` when the run does not count. */
export interface CaseFigures {
  readonly problem: string | null;
  readonly cpuMicrosPerRequest?: number;
  readonly requestsPerSecond?: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
}

/** Everything measured of one proxy. */
export interface ProxyFigures {
  readonly name: string;
  /** By case, a figure for each round. */
  readonly cases: Map<string, CaseFigures[]>;
  /** KiB per idle connection, plain and TLS. */
  idle: readonly [number, number] | null;
  /** MiB resident after a hundred thousand and after a million requests. */
  memory: readonly [number, number] | null;
  /** MiB resident at the start. */
  baseMib: number;
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function ratio(value: number, reference: number | undefined): string {
  return reference === undefined ? '' : ` (${(value / reference).toFixed(2)})`;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The ratio to the reference in each round, the middle one of them, and from where to where they go. */
function ratios(rounds: readonly CaseFigures[], reference: readonly CaseFigures[] | undefined): string {
  const each: number[] = [];
  for (const [index, { cpuMicrosPerRequest: value }] of rounds.entries()) {
    const against = reference?.[index]?.cpuMicrosPerRequest;
    if (value !== undefined && against !== undefined) each.push(value / against);
  }
  if (each.length === 0) return '';
  const span = each.length === 1 ? '' : `; ${Math.min(...each).toFixed(2)} to ${Math.max(...each).toFixed(2)}`;
  return ` (${median(each).toFixed(2)}${span})`;
}

function medianOf(rounds: readonly CaseFigures[], name: 'requestsPerSecond' | 'p50Ms' | 'p99Ms'): number {
  return median(rounds.map((figures) => figures[name] ?? Number.NaN));
}

/** Prints the figures as a Markdown table: a line a case, a column a proxy, ratios to Envoy in brackets. */
export function printTable(all: readonly ProxyFigures[], cases: readonly BenchCase[]): void {
  const envoy = all.find((proxy) => proxy.name === 'envoy');
  console.log(row(['CPU us per request (ratio to Envoy)', ...all.map((proxy) => proxy.name)]));
  console.log(row(['---', ...all.map(() => '---')]));
  for (const benchCase of cases) {
    const reference = envoy?.cases.get(benchCase.name);
    const cells = all.map((proxy) => {
      const rounds = proxy.cases.get(benchCase.name);
      if (rounds === undefined) return '-';
      if (rounds.some(({ problem }) => problem !== null)) return 'INVALID';
      const cpu = median(rounds.map((figures) => figures.cpuMicrosPerRequest!));
      return cpu.toFixed(1) + (proxy === envoy ? '' : ratios(rounds, reference));
    });
    console.log(row([benchCase.description, ...cells]));
  }
  for (const benchCase of cases) {
    const cells = all.map((proxy) => {
      const rounds = proxy.cases.get(benchCase.name);
      if (rounds === undefined) return '-';
      const p99 = medianOf(rounds, 'p99Ms');
      const slowest = Number.isNaN(p99) ? '' : ` / ${p99.toFixed(2)}`;
      return `${medianOf(rounds, 'requestsPerSecond').toFixed(0)}/s, ${medianOf(rounds, 'p50Ms').toFixed(2)}${slowest} ms`;
    });
    console.log(row([`${benchCase.description}: rate, p50 / p99 (h2: mean)`, ...cells]));
  }
  if (all.some((proxy) => proxy.idle !== null)) {
    for (const [index, kind] of ['plain', 'TLS'].entries()) {
      const reference = envoy?.idle?.[index as 0 | 1];
      const cells = all.map((proxy) => {
        const kib = proxy.idle?.[index as 0 | 1];
        return kib === undefined ? '-' : kib.toFixed(1) + ratio(kib, reference);
      });
      console.log(row([`idle connection, ${kind}, KiB`, ...cells]));
    }
  }
  if (all.some((proxy) => proxy.memory !== null)) {
    const cells = all.map(({ memory }) =>
      memory === null ? '-' : `${memory[0].toFixed(0)} / ${memory[1].toFixed(0)}`,
    );
    console.log(row(['resident MiB after 100,000 / 1,000,000 requests', ...cells]));
  }
  console.log(row(['resident MiB at start', ...all.map((proxy) => proxy.baseMib.toFixed(0))]));
}
