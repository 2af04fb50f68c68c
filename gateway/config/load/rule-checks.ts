import type { FieldRules, StringRules } from '#proto-types/validate/validate_pb.ts';
import { durationNanos } from './duration-nanos.ts';

/** Judges one value; null when it is right, else what is wrong. */
export type ValueCheck = (value: unknown) => string | null;

type RuleBag = Readonly<Record<string, unknown>>;

const HEADER_NAME = /^:?[0-9a-zA-Z!#$%&'*+\-.^_|~`]+$/;
const HEADER_VALUE = /^[^\x00-\x08\x0a-\x1f\x7f]*$/;
const NO_BREAKS = /^[^\x00\n\r]*$/;
const HOSTNAME = /^(?!-)[a-zA-Z0-9-]{1,63}(?:\.(?!-)[a-zA-Z0-9-]{1,63})*\.?$/;
const IPV4 = /^(?:\d{1,3}\.){3}\d{1,3}$/;

/** protoc-gen-validate's KnownRegex. */
const KNOWN_HEADER_NAME = 1;

/**
 * The check that the rules of one field (or of the items of a list, the keys or values of a map) ask for; null when
 * they ask for nothing about single values. `definedNumbers` are the numbers of the field's enum.
 */
export function valueCheck(rules: FieldRules, definedNumbers: ReadonlySet<number> | null): ValueCheck | null {
  const bag = rules.type.value as unknown as RuleBag | undefined;
  switch (rules.type.case) {
    case undefined:
    case 'repeated':
    case 'map':
    case 'any':
    case 'timestamp':
      return null;
    case 'string':
      return stringCheck(rules.type.value);
    case 'bytes':
      return allOf(lengthChecks(bag!, 'octets', (value) => (value as Uint8Array).length));
    case 'bool':
      return has(bag!, 'const') ? equals(bag!['const']) : null;
    case 'enum':
      return enumCheck(bag!, definedNumbers);
    case 'duration':
      return durationCheck(bag!);
    default:
      return numberCheck(bag!);
  }
}

function allOf(checks: readonly ValueCheck[]): ValueCheck | null {
  if (checks.length <= 1) return checks[0] ?? null;
  return (value) => {
    for (const check of checks) {
      const problem = check(value);
      if (problem !== null) return problem;
    }
    return null;
  };
}

/** Whether a rule is set: rules are proto2, where an unset one lives on the prototype. */
function has(rules: RuleBag, name: string): boolean {
  return Object.hasOwn(rules, name) && rules[name] !== undefined;
}

function equals(wanted: unknown): ValueCheck {
  return (value) => (value === wanted ? null : `must be ${String(wanted)}`);
}

function stringCheck(rules: StringRules): ValueCheck | null {
  const bag = rules as unknown as RuleBag;
  const checks = lengthChecks(bag, 'characters', (value) => [...(value as string)].length);
  const octets = (value: unknown): number => new TextEncoder().encode(value as string).length;
  if (has(bag, 'minBytes')) checks.push(atLeast(rules.minBytes, 'octets', octets));
  if (has(bag, 'maxBytes')) checks.push(atMost(rules.maxBytes, 'octets', octets));
  if (has(bag, 'const')) checks.push(equals(rules.const));
  if (has(bag, 'prefix'))
    checks.push(text(`must start with "${rules.prefix}"`, (value) => value.startsWith(rules.prefix)));
  if (has(bag, 'suffix')) checks.push(text(`must end with "${rules.suffix}"`, (value) => value.endsWith(rules.suffix)));
  if (has(bag, 'contains'))
    checks.push(text(`must contain "${rules.contains}"`, (value) => value.includes(rules.contains)));
  if (has(bag, 'notContains')) {
    checks.push(text(`must not contain "${rules.notContains}"`, (value) => !value.includes(rules.notContains)));
  }
  if (rules.in.length > 0)
    checks.push(text(`must be one of ${rules.in.join(', ')}`, (value) => rules.in.includes(value)));
  if (rules.notIn.length > 0) {
    checks.push(text(`must not be one of ${rules.notIn.join(', ')}`, (value) => !rules.notIn.includes(value)));
  }
  if (has(bag, 'pattern')) {
    const pattern = new RegExp(rules.pattern, 'u');
    checks.push(text(`must match ${rules.pattern}`, (value) => pattern.test(value)));
  }
  const known = wellKnownCheck(rules);
  if (known !== null) checks.push(known);
  return skippingEmpty(allOf(checks), rules.ignoreEmpty, '');
}

function text(problem: string, right: (value: string) => boolean): ValueCheck {
  return (value) => (right(value as string) ? null : problem);
}

function wellKnownCheck(rules: StringRules): ValueCheck | null {
  switch (rules.wellKnown.case) {
    case undefined:
      return null;
    case 'wellKnownRegex': {
      const isName = rules.wellKnown.value === KNOWN_HEADER_NAME;
      const what = isName ? 'is not a valid header name' : 'is not a valid header value';
      const pattern = !rules.strict ? NO_BREAKS : isName ? HEADER_NAME : HEADER_VALUE;
      return text(what, (value) => pattern.test(value));
    }
    case 'email':
      return text('must be an e-mail address', (value) => /^[^@\s]+@[^@\s]+$/.test(value));
    case 'hostname':
      return text('must be a host name', (value) => HOSTNAME.test(value));
    case 'ip':
      return text('must be an IP address', (value) => IPV4.test(value) || value.includes(':'));
    case 'ipv4':
      return text('must be an IPv4 address', (value) => IPV4.test(value));
    case 'ipv6':
      return text('must be an IPv6 address', (value) => value.includes(':'));
    case 'address':
      return text('must be a host name or an IP address', (value) => HOSTNAME.test(value) || value.includes(':'));
    case 'uri':
      return text('must be an absolute URI', (value) => URL.canParse(value));
    case 'uriRef':
      return text('must be a URI', (value) => URL.canParse(value, 'http://base.invalid'));
    case 'uuid':
      return text('must be a UUID', (value) => /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value));
  }
}

function lengthChecks(rules: RuleBag, unit: string, length: (value: unknown) => number): ValueCheck[] {
  const checks: ValueCheck[] = [];
  if (has(rules, 'len')) {
    const wanted = Number(rules['len']);
    checks.push((value) => (length(value) === wanted ? null : `must have ${wanted} ${unit}`));
  }
  if (has(rules, 'minLen')) checks.push(atLeast(rules['minLen'] as bigint, unit, length));
  if (has(rules, 'maxLen')) checks.push(atMost(rules['maxLen'] as bigint, unit, length));
  return checks;
}

function atLeast(limit: bigint, unit: string, length: (value: unknown) => number): ValueCheck {
  const least = Number(limit);
  const problem = least === 1 ? 'must not be empty' : `must have at least ${least} ${unit}`;
  return (value) => (length(value) >= least ? null : problem);
}

function atMost(limit: bigint, unit: string, length: (value: unknown) => number): ValueCheck {
  const most = Number(limit);
  return (value) => (length(value) <= most ? null : `must have at most ${most} ${unit}`);
}

function skippingEmpty(check: ValueCheck | null, ignoreEmpty: boolean, empty: unknown): ValueCheck | null {
  if (check === null || !ignoreEmpty) return check;
  return (value) => (value === empty ? null : check(value));
}

function enumCheck(rules: RuleBag, defined: ReadonlySet<number> | null): ValueCheck | null {
  const checks: ValueCheck[] = [];
  if (rules['definedOnly'] === true && defined !== null) {
    checks.push((value) => (defined.has(value as number) ? null : `${String(value)} is not a value of the enum`));
  }
  return allOf([...checks, ...membership(rules, (value) => value as number)]);
}

function membership(rules: RuleBag, convert: (value: unknown) => number | bigint): ValueCheck[] {
  const checks: ValueCheck[] = [];
  const allowed = rules['in'] as readonly unknown[] | undefined;
  const refused = rules['notIn'] as readonly unknown[] | undefined;
  if (allowed !== undefined && allowed.length > 0) {
    const set = new Set(allowed.map(convert));
    checks.push((value) => (set.has(convert(value)) ? null : `must be one of ${[...set].join(', ')}`));
  }
  if (refused !== undefined && refused.length > 0) {
    const set = new Set(refused.map(convert));
    checks.push((value) => (set.has(convert(value)) ? `must not be ${String(value)}` : null));
  }
  return checks;
}

function numberCheck(rules: RuleBag): ValueCheck | null {
  const same = (value: unknown): number | bigint => value as number | bigint;
  const checks = [...rangeChecks(rules, same, (limit) => String(limit)), ...membership(rules, same)];
  const check = allOf(checks);
  if (check === null || rules['ignoreEmpty'] !== true) return check;
  return (value) => (value === 0 || value === 0n ? null : check(value));
}

function durationCheck(rules: RuleBag): ValueCheck | null {
  const nanos = (value: unknown): bigint => durationNanos(value as { seconds: bigint; nanos: number });
  const shown = (limit: unknown): string => `${Number(nanos(limit)) / 1e9}s`;
  return allOf([...rangeChecks(rules, nanos, shown), ...membership(rules, nanos)]);
}

/** `gt`, `gte`, `lt`, `lte`; a lower bound above the upper one means the values outside of the two. */
function rangeChecks(
  rules: RuleBag,
  convert: (value: unknown) => number | bigint,
  shown: (limit: unknown) => string,
): ValueCheck[] {
  const lower = has(rules, 'gt') ? 'gt' : has(rules, 'gte') ? 'gte' : null;
  const upper = has(rules, 'lt') ? 'lt' : has(rules, 'lte') ? 'lte' : null;
  const checks: ValueCheck[] = [];
  if (has(rules, 'const')) {
    const wanted = convert(rules['const']);
    checks.push((value) => (convert(value) === wanted ? null : `must be ${shown(rules['const'])}`));
  }
  const low = lower === null ? null : convert(rules[lower]);
  const high = upper === null ? null : convert(rules[upper]);
  const above = (value: unknown): boolean =>
    low === null || (lower === 'gt' ? convert(value) > low : convert(value) >= low);
  const below = (value: unknown): boolean =>
    high === null || (upper === 'lt' ? convert(value) < high : convert(value) <= high);
  const lowText = lower === null ? '' : `${lower === 'gt' ? 'greater than' : 'at least'} ${shown(rules[lower])}`;
  const highText = upper === null ? '' : `${upper === 'lt' ? 'less than' : 'at most'} ${shown(rules[upper])}`;
  if (low !== null && high !== null && low > high) {
    checks.push((value) => (above(value) || below(value) ? null : `must be ${highText} or ${lowText}`));
  } else if (low !== null || high !== null) {
    const problem = `must be ${[lowText, highText].filter((part) => part !== '').join(' and ')}`;
    checks.push((value) => (above(value) && below(value) ? null : problem));
  }
  return checks;
}
