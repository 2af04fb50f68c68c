import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { UsageError } from '#gateway/base/command-line/usage-error.ts';

/**
 * The flags that a YAML (or JSON) file stands for: `http_listen: X` is `--http-listen X`, a list repeats its flag, `true` is a
 * flag without a value. `certificates` is a list of mappings, each of which begins with its `name`. Throws
 * {@link UsageError}; what the flags mean is checked where flags are.
 */
export function acmeConfigFlags(text: string, file: string): string[] {
  let data: unknown;
  try {
    data = parse(text, { maxAliasCount: 100 });
  } catch (error) {
    throw new UsageError(`${file} is not YAML: ${(error as Error).message.split('\n')[0]}`);
  }
  if (!isMapping(data)) throw new UsageError(`${file} has to be a mapping of flags`);
  const { certificates, ...common } = data;
  const flags = flagsOf(common, file);
  if (certificates === undefined || certificates === null) return flags;
  if (!Array.isArray(certificates)) throw new UsageError(`${file}: certificates has to be a list`);
  for (const certificate of certificates as unknown[]) {
    if (!isMapping(certificate) || typeof certificate['name'] !== 'string')
      throw new UsageError(`${file}: each of the certificates has to be a mapping with a name`);
    const { name, ...rest } = certificate;
    flags.push('--name', name as string, ...flagsOf(rest, file));
  }
  return flags;
}

/** `args` with the flags of the file that `--config FILE` names in its place. Throws {@link UsageError}. */
export function expandConfig(args: readonly string[]): string[] {
  const expanded: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const [flag, inline] = splitFlag(args[i]!);
    if (flag !== '--config') {
      expanded.push(args[i]!);
      continue;
    }
    const file = inline ?? args[++i];
    if (file === undefined || file === '') throw new UsageError('--config needs a value');
    expanded.push(...readConfigFlags(file));
  }
  return expanded;
}

/** The flags of a configuration file. Throws {@link UsageError}. */
export function readConfigFlags(file: string): string[] {
  try {
    return acmeConfigFlags(readFileSync(file, 'utf8'), file);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`cannot read the configuration: ${(error as Error).message}`);
  }
}

function splitFlag(argument: string): [string, string | null] {
  const equals = argument.indexOf('=');
  return equals === -1 ? [argument, null] : [argument.slice(0, equals), argument.slice(equals + 1)];
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function flagsOf(mapping: Readonly<Record<string, unknown>>, file: string): string[] {
  const flags: string[] = [];
  for (const [key, value] of Object.entries(mapping)) {
    const flag = `--${key.replaceAll('_', '-')}`;
    for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (one === true) flags.push(flag);
      else if (typeof one === 'string' || typeof one === 'number') flags.push(`${flag}=${one}`);
      else if (one !== false && one !== null)
        throw new UsageError(`${file}: ${key} has to be a text or a list of texts`);
    }
  }
  return flags;
}
