import type { Dice } from '#test/support/dice.ts';

/** A descriptor as it stands in a file. */
export interface MadeDescriptor {
  key: string;
  value?: string;
  rate_limit?: Record<string, unknown>;
  shadow_mode?: boolean;
  quota_mode?: boolean;
  detailed_metric?: boolean;
  value_to_metric?: boolean;
  share_threshold?: boolean;
  metadata?: Record<string, unknown>;
  descriptors?: MadeDescriptor[];
}

/** What the configurations may hold. */
export interface ConfigChoices {
  /** Patterns with a `*` anywhere, and `metadata`. */
  readonly newer: boolean;
  readonly quotas: boolean;
  /** Keys and values with `_` in them, which make different descriptors count on one key. */
  readonly collisions: boolean;
}

const keys = ['k', 'kk', 'path', 'ip', 'user', 'a', 'na.me', 'c:d|e', 'sp ace', 'ü'] as const;
const collidingKeys = ['a_b', 'a_b_c', 'path_/api'] as const;
/** Values that requests bring and files name. */
export const plainValues: readonly string[] = [
  'v',
  'w',
  'abc',
  'abd',
  'x/y',
  '10.1.2.3',
  'x:y|z',
  'é',
  '/api/1',
  'y e s',
  '0',
];
const collidingValues = ['b', 'b_c', 'c', '_'] as const;
const patterns = ['ab*', 'a*', '*', '/api/*', 'x*', '1*'] as const;
const newerPatterns = ['*c', 'a*c', '*b*', 'x*y', '*.*.*'] as const;
const units = ['second', 'minute', 'MINUTE', 'hour', 'Day', 'week', 'month', 'year'] as const;
const names = ['n1', 'n2', 'n3'] as const;

/** The descriptors of a domain: every field, at random. */
export function randomDescriptors(dice: Dice, choices: ConfigChoices, depth = 0): MadeDescriptor[] {
  const made: MadeDescriptor[] = [];
  const composites = new Set<string>();
  const count = depth === 0 ? 6 + dice.below(6) : 1 + dice.below(4);
  for (let i = 0; i < count; i++) {
    const descriptor = randomDescriptor(dice, choices, depth);
    const { key, value = '' } = descriptor;
    const composite = value === '' ? key : `${key}_${value}`;
    if (composites.has(composite)) continue;
    composites.add(composite);
    made.push(descriptor);
  }
  return made;
}

function randomDescriptor(dice: Dice, choices: ConfigChoices, depth: number): MadeDescriptor {
  const made: MadeDescriptor = {
    key: choices.collisions && dice.chance(0.2) ? dice.pick(collidingKeys) : dice.pick(keys),
  };
  const kind = dice.below(10);
  if (kind < 4) made.value = randomValue(dice, choices);
  else if (kind < 7) made.value = randomPattern(dice, choices);
  else if (kind === 7 && dice.chance(0.3)) made.key += '*';
  if (`${made.key}_${made.value ?? ''}`.includes('*') && dice.chance(0.4)) made.share_threshold = true;
  if (dice.chance(0.15)) made.shadow_mode = true;
  if (choices.quotas && dice.chance(0.2)) made.quota_mode = true;
  if (dice.chance(0.2)) made.detailed_metric = true;
  if (dice.chance(0.25)) made.value_to_metric = true;
  if (choices.newer && dice.chance(0.3)) made.metadata = { [dice.pick(['m', 'o'])]: { x: dice.below(3) } };
  if (dice.chance(0.85)) made.rate_limit = randomLimit(dice);
  if (depth < 3 && dice.chance(0.4)) made.descriptors = randomDescriptors(dice, choices, depth + 1);
  return made;
}

function randomPattern(dice: Dice, choices: ConfigChoices): string {
  return choices.newer && dice.chance(0.4) ? dice.pick(newerPatterns) : dice.pick(patterns);
}

/** A value without a pattern in it. */
export function randomValue(dice: Dice, { collisions }: ConfigChoices): string {
  return collisions && dice.chance(0.3) ? dice.pick(collidingValues) : dice.pick(plainValues);
}

function randomLimit(dice: Dice): Record<string, unknown> {
  const limit: Record<string, unknown> = {};
  if (dice.chance(0.1)) {
    limit['unlimited'] = true;
    if (dice.chance(0.2)) limit['unit'] = 'bogus';
  } else {
    limit['unit'] = dice.pick(units);
    if (dice.chance(0.95)) limit['requests_per_unit'] = randomCount(dice);
  }
  if (dice.chance(0.3)) limit['name'] = dice.pick(names);
  if (dice.chance(0.12)) {
    const others = names.filter((name) => name !== limit['name']);
    limit['replaces'] = [{ name: dice.pick(others) }, ...(dice.chance(0.3) ? [{ name: dice.pick(others) }] : [])];
  }
  return limit;
}

function randomCount(dice: Dice): number {
  const kind = dice.below(20);
  if (kind === 0) return 4_294_967_295;
  if (kind < 4) return 50 + dice.below(1000);
  return dice.below(16);
}
