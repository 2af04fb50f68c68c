import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
// biome-ignore lint/correctness/useImportExtensions: it takes the types beside it for the module
import { findBinary } from '../../bin/runtimes.mjs';
import type { MtlsAttempt, MtlsResult } from './mtls-client.ts';

const run = promisify(execFile);

/** Whether there is a Node that can run the client program. */
export function canAttempt(): boolean {
  return findBinary('node') !== null;
}

/** Runs the client program over a list of attempts; `dir` is a folder for its files. */
export async function attempt(dir: string, attempts: readonly MtlsAttempt[]): Promise<MtlsResult[]> {
  const files = [join(dir, 'attempts.json'), join(dir, 'results.json')] as const;
  writeFileSync(files[0], JSON.stringify(attempts));
  await run(findBinary('node')!, [fileURLToPath(new URL('./mtls-client.ts', import.meta.url)), ...files]);
  return JSON.parse(readFileSync(files[1], 'utf8')) as MtlsResult[];
}
