import { matchesWildcard } from '../limiter/wildcard.ts';
import type { RawConfig, RawDescriptor, RawRateLimit } from './yaml-file.ts';

/** As many are told. */
const maxAdvice = 50;

/** What is allowed, and most likely not meant: each as a sentence. */
export function configAdvice(files: readonly RawConfig[]): string[] {
  const found: string[] = [];
  const names = new Map<string, Set<string>>();
  for (const { domain, descriptors } of files) {
    const known = names.get(domain) ?? new Set();
    names.set(domain, known);
    for (const { name } of limitsBelow(descriptors)) known.add(name);
  }
  for (const { file, domain, descriptors } of files) {
    const say = (text: string): void => {
      found.push(`${file}: ${text}`);
    };
    const others = files.some((other) => other.domain === domain && other.descriptors.length > 0);
    if (!others) say(`the domain '${domain}' has no descriptors: nothing is limited`);
    adviseLevel(descriptors, domain, say);
    for (const { line, replaces } of limitsBelow(descriptors)) {
      for (const name of replaces.filter((each) => !names.get(domain)!.has(each))) {
        say(`line ${line}: it replaces '${name}', which is the name of no rule of '${domain}'`);
      }
    }
  }
  if (found.length <= maxAdvice) return found;
  return [...found.slice(0, maxAdvice), `${found.length - maxAdvice} more of such`];
}

function adviseLevel(level: readonly RawDescriptor[], prefix: string, say: (text: string) => void): void {
  const earlier: string[] = [];
  for (const raw of level) {
    const composite = compositeOf(raw);
    const name = `${prefix}.${composite}`;
    if (composite.includes('*')) {
      const hiding = earlier.find((pattern) => covers(pattern, composite));
      if (hiding !== undefined) {
        say(`the rule '${name}' is never met: '${prefix}.${hiding}' stands before it and matches all that it matches`);
      }
      earlier.push(composite);
    }
    for (const { requestsPerUnit, unlimited, line } of limitsOf(raw)) {
      if (requestsPerUnit === 0 && !unlimited)
        say(`line ${line}: the rule '${name}' lets nothing pass: requests_per_unit is 0`);
    }
    adviseLevel(raw.descriptors, name, say);
  }
}

function limitsBelow(level: readonly RawDescriptor[]): RawRateLimit[] {
  return level.flatMap((raw) => [...limitsOf(raw), ...limitsBelow(raw.descriptors)]);
}

function limitsOf({ rateLimit, rateLimits }: RawDescriptor): readonly RawRateLimit[] {
  return rateLimits ?? (rateLimit === null ? [] : [rateLimit]);
}

function compositeOf({ key, value }: RawDescriptor): string {
  return value === '' ? key : `${key}_${value}`;
}

/** Whether everything that `pattern` matches is matched by `wider`: a star of the pattern can only stand for a star's text. */
function covers(wider: string, pattern: string): boolean {
  // One text that stands for all: stars as a character that no literal of the wider pattern can match.
  return matchesWildcard(wider, pattern.replaceAll('*', '\u0000'));
}
