import { spawn } from 'node:child_process';
import type { BenchCase } from './cases.ts';

/** What a load generator saw. `problem` is set unless every answer was a 2xx and no socket failed. */
export interface LoadResult {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly problem: string | null;
}

/** Runs a program on a core and gives what it printed. */
export function output(core: number, command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('taskset', ['-c', String(core), command, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    child.once('error', reject);
    child.once('close', () => resolve(text));
  });
}

function millis(text: string | undefined): number {
  const match = /([\d.]+)(us|ms|s|m)$/.exec(text ?? '');
  if (match === null) return Number.NaN;
  const scale = { us: 0.001, ms: 1, s: 1000, m: 60_000 }[match[2] as 'us' | 'ms' | 's' | 'm'];
  return Number(match[1]) * scale;
}

/** Loads `url` for some seconds from `core`. */
export async function load(
  benchCase: Pick<BenchCase, 'client'>,
  url: string,
  seconds: number,
  core: number,
): Promise<LoadResult> {
  return benchCase.client === 'h1' ? await loadHttp1(url, seconds, core) : await loadHttp2(url, seconds, core);
}

async function loadHttp1(url: string, seconds: number, core: number): Promise<LoadResult> {
  const text = await output(core, 'wrk', ['-t1', '-c32', `-d${seconds}s`, '--latency', url]);
  const failed = /Non-2xx[^\n]*|Socket errors:[^\n]*(?:connect|read|write) [1-9][^\n]*/.exec(text);
  const requests = Number(/(\d+) requests in/.exec(text)?.[1] ?? 0);
  return {
    requests,
    requestsPerSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? 0),
    p50Ms: millis(/^ +50% +(\S+)/m.exec(text)?.[1]),
    p99Ms: millis(/^ +99% +(\S+)/m.exec(text)?.[1]),
    problem: failed?.[0] ?? (requests === 0 ? `no answers: ${text.slice(-200)}` : null),
  };
}

async function loadHttp2(url: string, seconds: number, core: number): Promise<LoadResult> {
  const text = await output(core, 'h2load', ['-t1', '-c8', '-m16', `-D${seconds}`, url]);
  const requests = Number(/^requests: .* (\d+) succeeded/m.exec(text)?.[1] ?? 0);
  const codes = /^status codes: \d+ 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/m.exec(text);
  const clean = codes !== null && codes[1] === '0' && codes[2] === '0' && codes[3] === '0';
  const times = /^time for request:\s+\S+\s+\S+\s+(\S+)/m.exec(text);
  return {
    requests,
    requestsPerSecond: Number(/^finished in [^,]*, ([\d.]+) req\/s/m.exec(text)?.[1] ?? 0),
    p50Ms: millis(times?.[1]), // h2load prints the mean, not the median
    p99Ms: Number.NaN,
    problem: clean && requests > 0 ? null : (codes?.[0] ?? text.slice(-200)),
  };
}
