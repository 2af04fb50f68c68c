import { nearestName } from '#gateway/base/nearest-name.ts';
import { readLifetime } from './lifetime.ts';
import { UsageError } from './usage-error.ts';

/** One flag of a command. */
export interface Flag {
  /** Without the dashes. */
  readonly name: string;
  /** What the help calls its value; '' for a flag without one. */
  readonly value: string;
  readonly help: string;
}

/** Flags of a command line, with what is no flag. */
export class GivenFlags {
  /** In their order: some flags belong to the one before. */
  readonly inOrder: readonly (readonly [string, string])[];
  readonly words: readonly string[];

  constructor(inOrder: readonly (readonly [string, string])[], words: readonly string[]) {
    this.inOrder = inOrder;
    this.words = words;
  }

  has(name: string): boolean {
    return this.inOrder.some(([given]) => given === name);
  }

  /** The value; of one given twice the last counts. */
  text(name: string): string | null {
    return this.inOrder.findLast(([given]) => given === name)?.[1] ?? null;
  }

  all(name: string): string[] {
    return this.inOrder.filter(([given]) => given === name).map(([, value]) => value);
  }

  /** A value that must be there. Throws {@link UsageError}. */
  required(name: string): string {
    const value = this.text(name);
    if (value === null) throw new UsageError(`--${name} is missing`);
    return value;
  }

  /** A time such as `24h`, milliseconds; `usual` when it is not given. Throws {@link UsageError}. */
  lifetime<Usual extends number | null>(name: string, usual: Usual): number | Usual {
    const value = this.text(name);
    return value === null ? usual : parseLifetime(value);
  }

  /** One of some words; `usual` when it is not given. Throws {@link UsageError}. */
  oneOf<Word extends string, Usual extends Word | null>(
    name: string,
    words: readonly Word[],
    usual: Usual,
  ): Word | Usual {
    const value = this.text(name);
    return value === null ? usual : oneOf(name, value, words);
  }
}

/** Reads `90s`, `45m`, `24h`, `7d` as milliseconds. Throws {@link UsageError}. */
export function parseLifetime(text: string): number {
  const ms = readLifetime(text);
  if (ms === null) throw new UsageError(`'${text}' is not a time such as 45m, 24h or 7d`);
  return ms;
}

/** `value`, which must be one of `words`. Throws {@link UsageError}. */
export function oneOf<Word extends string>(flag: string, value: string, words: readonly Word[]): Word {
  const found = words.find((word) => word.toLowerCase() === value.toLowerCase());
  if (found !== undefined) return found;
  const near = nearestName(value, words);
  const hint = near === null ? `it must be one of ${words.join(', ')}` : `did you mean ${near}?`;
  throw new UsageError(`--${flag} ${value}: ${hint}`);
}

/** Reads `--flag value`, `--flag=value` and words. Throws {@link UsageError} naming the nearest flag. */
export function parseFlags(args: readonly string[], flags: readonly Flag[]): GivenFlags {
  const given: [string, string][] = [];
  const words: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const argument = args[i]!;
    if (argument === '--') {
      words.push(...args.slice(i + 1));
      break;
    }
    if (!argument.startsWith('--')) {
      if (argument.startsWith('-') && argument.length > 1)
        throw new UsageError(`no flag '${argument}'; flags begin with --`);
      words.push(argument);
      continue;
    }
    const equals = argument.indexOf('=');
    const name = argument.slice(2, equals === -1 ? undefined : equals);
    const flag = flags.find((candidate) => candidate.name === name);
    if (flag === undefined) {
      const near = nearestName(
        name,
        flags.map((candidate) => candidate.name),
      );
      throw new UsageError(`no flag '--${name}'${near === null ? '' : `; did you mean --${near}?`}`);
    }
    if (flag.value === '') {
      if (equals !== -1) throw new UsageError(`--${name} takes no value`);
      given.push([name, '']);
      continue;
    }
    const value = equals === -1 ? args[++i] : argument.slice(equals + 1);
    if (value === undefined || value === '') throw new UsageError(`--${name} needs a value`);
    given.push([name, value]);
  }
  return new GivenFlags(given, words);
}

/** The flags as lines of a help text. */
export function flagLines(flags: readonly Flag[]): string {
  return flags
    .map(({ name, value, help }) => `  ${`--${name}${value === '' ? '' : ` ${value}`}`.padEnd(28)} ${help}\n`)
    .join('');
}
