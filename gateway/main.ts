import type { InProcessLoaders } from './api/in-process.ts';
import { keepFreedMemory } from './runtime/allocator.ts';
import { processArguments } from './runtime/process.ts';

/** The services that a cluster of type `sluice.in_process` can name. Nothing else of the gateway knows them. */
const services: InProcessLoaders = {
  ratelimit: async () => {
    const { createEmbeddedRateLimit } = await import('#ratelimit/embedded/embedded-rate-limit.ts');
    return { create: createEmbeddedRateLimit };
  },
};

keepFreedMemory();
// Only now, so that a new start has not loaded everything twice.
const { runCommand } = await import('./cli/commands.ts');
runCommand(processArguments(), services);
