import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
// biome-ignore lint/correctness/useImportExtensions: a JavaScript module with its types beside it
import { findBinary, runArguments } from '../../bin/runtimes.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** The command line that starts a file of the project on a runtime: program first, then its arguments. */
export function projectCommand(runtime: string, file: string): string[] {
  const binary: string | null = findBinary(runtime);
  if (binary === null) throw new Error(`${runtime} is not installed: run npm ci`);
  return [binary, ...runArguments(runtime, join(root, file), [])];
}

/** The command line of the gateway on a runtime; its command (`run`, `validate`) and flags follow. */
export function gatewayCommand(runtime: string): string[] {
  return projectCommand(runtime, 'gateway/main.ts');
}

/** Whether a runtime is installed. */
export function hasRuntime(runtime: string): boolean {
  return findBinary(runtime) !== null;
}
