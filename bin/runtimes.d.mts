export type RuntimeName = 'bun' | 'deno' | 'node';
export function findBinary(name: string): string | null;
export function runsTypeScript(version: string): boolean;
export function runArguments(name: string, file: string, args: readonly string[]): string[];
