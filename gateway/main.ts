import { runCommand } from './cli/commands.ts';
import { processArguments } from './runtime/process.ts';

runCommand(processArguments());
