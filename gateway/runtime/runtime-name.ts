import process from 'node:process';

/** A runtime that sluice runs on. */
export type RuntimeName = 'bun' | 'deno' | 'node';

/** Which runtime this process is. Only this folder may ask; the rest reads the facts it exports. */
export const runtimeName: RuntimeName =
  process.versions.bun !== undefined ? 'bun' : process.versions.deno !== undefined ? 'deno' : 'node';
