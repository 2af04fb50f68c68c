import { nearestName } from '#gateway/base/nearest-name.ts';
import { type FlagSpec, flagSpecs } from './flags.ts';

/** A command line as read. */
export interface ParsedFlags {
  /** Given values by flag name; `true` for flags without a value. */
  readonly values: ReadonlyMap<string, string | true>;
  /** Values of repeated flags. */
  readonly lists: ReadonlyMap<string, readonly string[]>;
  /** Arguments that are no flags. */
  readonly rest: readonly string[];
  /** What is wrong, one sentence each; empty when all is well. */
  readonly problems: readonly string[];
  /** What was accepted without effect, one sentence each. */
  readonly notes: readonly string[];
}

/** Reads flags as the envoy binary does (`-c FILE`, `--flag value`); `--flag=value` too. Of one given twice the last counts. Never throws. */
export function parseFlags(argv: readonly string[], specs: readonly FlagSpec[] = flagSpecs): ParsedFlags {
  const values = new Map<string, string | true>();
  const lists = new Map<string, string[]>();
  const rest: string[] = [];
  const problems: string[] = [];
  const notes: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i]!;
    if (argument === '--' || argument === '--ignore_rest') break;
    if (!argument.startsWith('-') || argument === '-') {
      rest.push(argument);
      continue;
    }
    const equals = argument.indexOf('=');
    const shown = equals === -1 ? argument : argument.slice(0, equals);
    const spec = findFlag(shown, specs);
    if (spec === undefined) {
      const near = nearestName(
        shown.replace(/^-+/, ''),
        specs.map((known) => known.name),
      );
      problems.push(`unknown flag ${shown}${near === null ? '' : `; did you mean --${near}?`}`);
      continue;
    }
    let value: string | true = true;
    if (spec.value !== 'none') {
      const given = equals === -1 ? argv[++i] : argument.slice(equals + 1);
      if (given === undefined) {
        problems.push(`${shown} needs a value`);
        continue;
      }
      if (spec.value === 'number' && !/^\d+$/.test(given)) problems.push(`${shown} needs a number, not '${given}'`);
      value = given;
    } else if (equals !== -1) {
      problems.push(`${shown} takes no value`);
    }
    if (spec.effect.kind === 'refused') problems.push(`${shown} is not supported: ${spec.effect.reason}`);
    if (spec.effect.kind === 'no effect') notes.push(`${shown} has no effect: ${spec.effect.reason}`);
    if (spec.repeated) lists.set(spec.name, [...(lists.get(spec.name) ?? []), String(value)]);
    else values.set(spec.name, value);
  }
  return { values, lists, rest, problems, notes };
}

function findFlag(shown: string, specs: readonly FlagSpec[]): FlagSpec | undefined {
  if (shown.startsWith('--')) return specs.find((spec) => spec.name === shown.slice(2));
  return specs.find((spec) => spec.short !== '' && `-${spec.short}` === shown);
}
