import process from 'node:process';
import { runtimeName } from './runtime-name.ts';

// Memory that was free for so long goes back to the system.
const purgeDelay = { name: 'MIMALLOC_PURGE_DELAY', value: '10000' } as const; // ms

/**
 * Starts the program anew, in the same process, with its allocator set to keep freed memory for ten seconds. Call it first:
 * what was loaded is loaded again. It does nothing where that is done already, was set by the user, or cannot be done.
 *
 * Bun's allocator, mimalloc, gives memory back after 10 ms, and reads its settings from the environment before any script
 * runs. A body of 1 MiB comes in buffers of 512 KiB, so that each request paid for tens of page faults.
 */
export function keepFreedMemory(): void {
  const { env, execArgv, argv } = process;
  if (runtimeName !== 'bun' || env[purgeDelay.name] !== undefined || process.connected) return;
  const script = argv[1];
  if (script === undefined || process.execve === undefined) return;
  try {
    process.execve(process.execPath, [process.execPath, ...execArgv, ...argv.slice(1)], {
      ...env,
      [purgeDelay.name]: purgeDelay.value,
    });
  } catch {
    // Not on this system: it serves all the same.
  }
}
