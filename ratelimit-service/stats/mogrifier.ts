import { RE2JS } from 're2js';

/** A rule that gives a statistic another name and tags. `$1` stands for what the pattern's first group has matched. */
export interface Mogrifier {
  readonly pattern: RE2JS;
  readonly name: string;
  /** Names and values. */
  readonly tags: readonly (readonly [name: string, value: string])[];
}

/**
 * Reads the mogrifiers of USE_DOG_STATSD_MOGRIFIERS, each from DOG_STATSD_MOGRIFIER_<KEY>_PATTERN, _NAME and _TAGS. Adds
 * what is wrong to `problems`.
 */
export function readMogrifiers(
  keys: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  problems: string[],
): Mogrifier[] {
  const mogrifiers: Mogrifier[] = [];
  for (const key of keys) {
    const made = readMogrifier(key, env);
    if (typeof made === 'string') problems.push(made);
    else mogrifiers.push(made);
  }
  return mogrifiers;
}

function readMogrifier(key: string, env: Readonly<Record<string, string | undefined>>): Mogrifier | string {
  const value = (name: string): string => env[`DOG_STATSD_MOGRIFIER_${key}_${name}`] ?? '';
  const tags: [string, string][] = [];
  for (const pair of value('TAGS').trim() === '' ? [] : value('TAGS').split(',')) {
    const colon = pair.indexOf(':');
    if (colon === -1) return `failed to load mogrifier ${key}: invalid map item: ${JSON.stringify(pair)}`;
    tags.push([pair.slice(0, colon), pair.slice(colon + 1)]);
  }
  const pattern = value('PATTERN');
  if (pattern === '') return `no PATTERN specified for mogrifier ${key}`;
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(pattern);
  } catch (error) {
    return `failed to compile pattern for ${key}: ${pattern}: ${(error as Error).message}`;
  }
  if (value('NAME') === '') return `no NAME specified for mogrifier ${key}`;
  for (const [name, text] of tags) {
    if (name === '') return `no key specified for tag ${name} for mogrifier ${key}`;
    if (text === '') return `no value specified for tag ${name} for mogrifier ${key}`;
  }
  return { pattern: compiled, name: value('NAME'), tags };
}

/** Name and tags of a statistic by the first mogrifier that matches; as it is when none does. */
export function mogrify(mogrifiers: readonly Mogrifier[], name: string): { name: string; tags: readonly string[] } {
  for (const { pattern, name: newName, tags } of mogrifiers) {
    const matcher = pattern.matcher(name);
    if (!matcher.find()) continue;
    const groups = Array.from({ length: matcher.groupCount() + 1 }, (_, i) => matcher.group(i) ?? '');
    const fill = (text: string): string => text.replaceAll(/\$(\d+)/g, (whole, i) => groups[Number(i)] ?? whole);
    return { name: fill(newName), tags: tags.map(([tag, value]) => `${tag}:${fill(value)}`) };
  }
  return { name, tags: [] };
}
