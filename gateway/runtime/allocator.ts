import process from 'node:process';
import { runtimeName } from './runtime-name.ts';

// Bun reads these before any script runs.
const settings: Readonly<Record<string, string>> = {
  // ms that memory stays with the allocator (mimalloc) after it was freed. With the 10 that are usual a body of 1 MiB, which
  // comes in buffers of 512 KiB, costs tens of page faults.
  MIMALLOC_PURGE_DELAY: '10000',
  // A full collection comes when less than this share of the heap's limit is left after a young one; usual is a third. Large
  // bodies fill the heap with buffers that outlive one young collection, and a third then means a full collection for
  // every five young ones.
  BUN_JSC_minEdenToOldGenerationRatio: '0.15',
};

/**
 * Starts the program anew, in the same process, with the memory settings that a gateway wants on Bun. Call it first: what was
 * loaded is loaded again. What the user has set stays; where all is set, or it cannot be done, nothing happens.
 */
export function keepFreedMemory(): void {
  const { env, execArgv, argv } = process;
  if (runtimeName !== 'bun' || process.connected || process.execve === undefined) return;
  const script = argv[1];
  if (script === undefined || Object.keys(settings).every((name) => env[name] !== undefined)) return;
  try {
    process.execve(process.execPath, [process.execPath, ...execArgv, ...argv.slice(1)], { ...settings, ...env });
  } catch {
    // Not on this system: it serves all the same.
  }
}
