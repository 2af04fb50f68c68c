import { nearestName } from '#gateway/base/nearest-name.ts';
import { algorithmKeyTag, algorithmNames, LimitAlgorithm, parseAlgorithm } from '../config/algorithm.ts';
import { parseUnit, unitSeconds } from '../config/limit-unit.ts';
import type { RawConfig, RawDescriptor, RawRateLimit } from '../config/yaml-file.ts';
import { matchesWildcard } from '../limiter/wildcard.ts';
import { SimulationError } from './simulation-error.ts';

/** What one `--set` changes of the rules that its pattern names. */
export interface LimitChange {
  /** As it was written. */
  readonly text: string;
  /** Names of rules; `*` stands for any text. */
  readonly pattern: string;
  readonly limit: Partial<
    Pick<RawRateLimit, 'requestsPerUnit' | 'unit' | 'unitMultiplier' | 'algorithm' | 'burst' | 'unlimited'>
  >;
  /** Whether the rule is in shadow mode; null when that stays. */
  readonly shadow: boolean | null;
}

/**
 * Reads `RULE=CHANGE`, the change being words: `50/minute`, `5/15minutes`, `unlimited`, an algorithm, `burst=20`, `shadow`,
 * `enforce`. What no word names stays as it is. Throws {@link SimulationError}.
 */
export function parseLimitChange(text: string): LimitChange {
  const match = /^(.+?)=((?:[0-9]+\/|burst=|[a-z_]+(?: |$)).*)$/s.exec(text);
  if (match === null) throw new SimulationError(`--set ${text}: it is not RULE=LIMIT, such as edge.path=50/minute`);
  const limit: { -readonly [Name in keyof LimitChange['limit']]: LimitChange['limit'][Name] } = {};
  let shadow: boolean | null = null;
  for (const word of match[2]!.trim().split(/\s+/)) {
    const rate = /^([0-9]+)\/([0-9]*)([a-z]+?)s?$/i.exec(word);
    const burst = /^burst=([0-9]+)$/.exec(word);
    if (rate !== null && parseUnit(rate[3]!) !== null) {
      limit.requestsPerUnit = Number(rate[1]);
      limit.unitMultiplier = rate[2] === '' ? null : Number(rate[2]);
      limit.unit = rate[3]!;
      limit.unlimited = false;
    } else if (burst !== null) limit.burst = Number(burst[1]);
    else if (word === 'unlimited')
      Object.assign(limit, { unlimited: true, unit: '', unitMultiplier: null, algorithm: '', burst: null });
    else if (word === 'shadow' || word === 'enforce') shadow = word === 'shadow';
    else if (parseAlgorithm(word) !== null) {
      limit.algorithm = word;
      if (parseAlgorithm(word) !== LimitAlgorithm.Bucket) limit.burst ??= null;
    } else {
      throw new SimulationError(
        `--set ${text}: '${word}' is none of N/unit, unlimited, burst=N, shadow, enforce, ${algorithmNames}`,
      );
    }
  }
  return { text, pattern: match[1]!, limit, shadow };
}

/** The files with the changes made. Throws {@link SimulationError} when a change names no rule. */
export function applyLimitChanges(files: readonly RawConfig[], changes: readonly LimitChange[]): RawConfig[] {
  const found = new Set<LimitChange>();
  const names: string[] = [];
  const changed = files.map((file) => ({
    ...file,
    descriptors: file.descriptors.map((each) => change(each, `${file.domain}.`, changes, found, names)),
  }));
  for (const { text, pattern } of changes.filter((each) => !found.has(each))) {
    const near = nearestName(pattern, names);
    throw new SimulationError(
      `--set ${text}: no rule is named '${pattern}'; ${near === null ? `there are ${names.slice(0, 20).join(', ')}` : `did you mean ${near}?`}`,
    );
  }
  return changed;
}

function change(
  raw: RawDescriptor,
  prefix: string,
  changes: readonly LimitChange[],
  found: Set<LimitChange>,
  names: string[],
): RawDescriptor {
  const fullKey = prefix + (raw.value === '' ? raw.key : `${raw.key}_${raw.value}`);
  let shadowMode = raw.shadowMode;
  const one = (limit: RawRateLimit, name: string): RawRateLimit => {
    names.push(name);
    let changed = limit;
    for (const each of changes) {
      const named = each.pattern === name;
      if (!named && !matchesWildcard(each.pattern, name)) continue;
      // Another algorithm for all rules is none for those without a limit.
      if (!named && limit.unlimited && each.limit.unlimited === undefined) continue;
      found.add(each);
      changed = { ...changed, ...each.limit };
      if (each.shadow !== null) shadowMode = each.shadow;
    }
    return changed;
  };
  const rateLimit = raw.rateLimit === null ? null : one(raw.rateLimit, fullKey);
  const rateLimits = raw.rateLimits?.map((limit) => one(limit, `${fullKey}.${windowTag(limit)}`)) ?? null;
  const descriptors = raw.descriptors.map((each) => change(each, `${fullKey}.`, changes, found, names));
  return { ...raw, rateLimit, rateLimits, shadowMode, descriptors };
}

/** What tells one of several limits from the others, as in their statistics' names. */
function windowTag({ unit, unitMultiplier, algorithm }: RawRateLimit): string {
  const seconds = unitSeconds(parseUnit(unit) ?? 0) * (unitMultiplier ?? 1);
  return algorithmKeyTag(parseAlgorithm(algorithm) ?? LimitAlgorithm.FixedWindow, seconds).slice(0, -1);
}
