import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import type { Summary } from '#ratelimit/simulate/summary.ts';
import { ratelimit } from '../cli/run-command.ts';

/** One request of a made-up log. */
export interface LoggedRequest {
  /** Milliseconds since the Unix epoch. */
  readonly ms: number;
  readonly key: string;
  readonly durationMs?: number;
  readonly octets?: number;
}

/** A directory of the test file's own, with files that commands read. */
export class SimulationFiles {
  readonly root: string = mkdtempSync(join(tmpdir(), 'sluice-simulate-'));

  constructor() {
    after(() => rmSync(this.root, { recursive: true, force: true }));
  }

  /** Writes a file and answers its path. */
  write(name: string, content: string | Uint8Array): string {
    const path = join(this.root, name);
    writeFileSync(path, content);
    return path;
  }
}

/** The request as a line of Envoy's default format, the key as its path. */
export function envoyLine({ ms, key, durationMs = 1, octets = 0 }: LoggedRequest): string {
  const time = new Date(ms).toISOString();
  return `[${time}] "GET ${key} HTTP/1.1" 200 - 0 ${octets} ${durationMs} - "10.0.0.1" "ua" "id" "host" "up"`;
}

/** A limited request as `--each --json` prints it. */
export interface PrintedLimited {
  readonly log: string;
  readonly line: number;
  readonly time: string;
  readonly config?: string;
  readonly by: readonly { readonly rule: string; readonly key: string; readonly limit: string; remaining: number }[];
}

/** What `simulate` printed as JSON. */
export interface PrintedRun {
  readonly limited: readonly PrintedLimited[];
  readonly summary: Summary;
}

/** Runs `simulate` with `--each --json`; it must succeed. */
export async function simulate(...args: string[]): Promise<PrintedRun> {
  const { code, out, err } = await ratelimit('simulate', ...args, '--each', '--json');
  assert.equal(code, 0, out + err);
  const lines = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { limited?: PrintedLimited; summary?: Summary });
  const { summary } = lines.pop()!;
  return { limited: lines.map((line) => line.limited!), summary: summary! };
}
