import { keepFreedMemory } from './runtime/allocator.ts';
import { processArguments } from './runtime/process.ts';

keepFreedMemory();
// Only now, so that a new start has not loaded everything twice.
const { runCommand } = await import('./cli/commands.ts');
runCommand(processArguments());
