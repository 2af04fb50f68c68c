import { nearestName } from '#gateway/base/nearest-name.ts';
import { type CommandOutput, exitCodes } from './command-output.ts';
import { type Flag, flagLines, type GivenFlags, parseFlags } from './flags.ts';
import { UsageError } from './usage-error.ts';

/** A command with its flags. `Context` is what its group's commands have of the world around them. */
export interface Command<Context> {
  readonly name: string;
  /** What follows the name in the usage line. */
  readonly words: string;
  /** One line. */
  readonly summary: string;
  readonly flags: readonly Flag[];
  /** Turns another program's spelling of the arguments into this one's, before they are read. */
  readonly respell?: (args: readonly string[]) => string[];
  /** Answers the exit code. Throws UsageError, and what its group takes for a failure. */
  run(given: GivenFlags, context: Context): Promise<number>;
}

/** A command that reads its arguments itself. */
export interface PlainCommand<Context> {
  /** One line. */
  readonly summary: string;
  run(args: readonly string[], context: Context): Promise<number>;
}

/** Commands under one name: `sluice NAME COMMAND`. */
export interface CommandGroup<Context> {
  readonly name: string;
  /** Loaded when they are called: some need libraries that take their time. */
  readonly commands: Readonly<Record<string, () => Promise<Command<Context>>>>;
  readonly others: Readonly<Record<string, PlainCommand<Context>>>;
  /** Lines at the end of the overview. */
  readonly notes: readonly string[];
  /** Whether an error says that something could not be done; others are mistakes of the program and are thrown. */
  isFailure(error: unknown): boolean;
}

/** `--json` of every command. */
export const jsonFlag: Flag = { name: 'json', value: '', help: 'print JSON, on one line' };

/** Prints `value` as one line of JSON, or the text for people. */
export function print(given: GivenFlags, output: CommandOutput, value: unknown, text: () => string): void {
  output.write(given.has('json') ? `${JSON.stringify(value)}\n` : text());
}

/** Runs the command that `args` name and answers the exit code. */
export async function runCommandGroup<Context extends { readonly output: CommandOutput }>(
  group: CommandGroup<Context>,
  args: readonly string[],
  context: Context,
): Promise<number> {
  const [name, ...rest] = args;
  const { output } = context;
  try {
    if (name === undefined || name === 'help' || name === '--help') {
      output.write(await overview(group));
      return name === undefined ? exitCodes.usage : exitCodes.ok;
    }
    if (Object.hasOwn(group.others, name)) return await group.others[name]!.run(rest, context);
    const command = await find(group, name);
    if (rest.includes('--help')) {
      output.write(helpOf(group, command));
      return exitCodes.ok;
    }
    return await command.run(parseFlags(command.respell?.(rest) ?? rest, command.flags), context);
  } catch (error) {
    const usage = error instanceof UsageError;
    if (!(usage || group.isFailure(error))) throw error;
    const { message } = error as Error;
    if (rest.includes('--json')) {
      output.write(`${JSON.stringify({ error: { kind: usage ? 'usage' : 'failed', message } })}\n`);
    } else {
      const known = name !== undefined && Object.hasOwn(group.commands, name);
      output.error(`${group.name}${known ? ` ${name}` : ''}: ${message}\n`);
      if (usage) output.error(`see: sluice ${group.name} ${known ? `${name} --help` : 'help'}\n`);
    }
    return usage ? exitCodes.usage : exitCodes.failed;
  }
}

async function find<Context>({ commands, others }: CommandGroup<Context>, name: string): Promise<Command<Context>> {
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (load !== undefined) return await load();
  const names = [...Object.keys(commands), ...Object.keys(others)];
  const near = nearestName(name, names);
  throw new UsageError(
    `no command '${name}'; ${near === null ? `there are ${names.join(', ')}` : `did you mean ${near}?`}`,
  );
}

async function overview<Context>(group: CommandGroup<Context>): Promise<string> {
  const lines = [`usage: sluice ${group.name} COMMAND [FLAGS]`, ''];
  for (const load of Object.values(group.commands)) {
    const { name, summary } = await load();
    lines.push(`  ${name.padEnd(8)} ${summary}`);
  }
  for (const [name, { summary }] of Object.entries(group.others)) lines.push(`  ${name.padEnd(8)} ${summary}`);
  lines.push('', `sluice ${group.name} COMMAND --help tells of its flags.`, ...group.notes, '');
  return lines.join('\n');
}

function helpOf<Context>(group: CommandGroup<Context>, { name, words, summary, flags }: Command<Context>): string {
  return `sluice ${group.name} ${name} ${words}\n${summary}\n\n${flagLines(flags)}`;
}
