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
  readonly cases: Map<string, CaseFigures>;
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

/** Prints the figures as a Markdown table: a line a case, a column a proxy, ratios to Envoy in brackets. */
export function printTable(all: readonly ProxyFigures[], cases: readonly BenchCase[]): void {
  const envoy = all.find((proxy) => proxy.name === 'envoy');
  console.log(row(['CPU us per request (ratio to Envoy)', ...all.map((proxy) => proxy.name)]));
  console.log(row(['---', ...all.map(() => '---')]));
  for (const benchCase of cases) {
    const reference = envoy?.cases.get(benchCase.name)?.cpuMicrosPerRequest;
    const cells = all.map((proxy) => {
      const figures = proxy.cases.get(benchCase.name);
      if (figures?.cpuMicrosPerRequest === undefined) return figures?.problem === undefined ? '-' : 'INVALID';
      return figures.cpuMicrosPerRequest.toFixed(1) + ratio(figures.cpuMicrosPerRequest, reference);
    });
    console.log(row([benchCase.description, ...cells]));
  }
  for (const benchCase of cases) {
    const cells = all.map((proxy) => {
      const figures = proxy.cases.get(benchCase.name);
      if (figures?.requestsPerSecond === undefined) return '-';
      const p99 = Number.isNaN(figures.p99Ms) ? '' : ` / ${figures.p99Ms?.toFixed(2)}`;
      return `${figures.requestsPerSecond.toFixed(0)}/s, ${figures.p50Ms?.toFixed(2)}${p99} ms`;
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
