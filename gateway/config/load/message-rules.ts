import { type DescField, type DescMessage, getOption, hasOption, type Message } from '@bufbuild/protobuf';
import type { GenExtension } from '@bufbuild/protobuf/codegenv2';
import type { FieldOptions, MessageOptions, OneofOptions } from '@bufbuild/protobuf/wkt';
import { protoRegistry } from '#gateway/proto/registry.ts';
import type { FieldRules } from '#proto-types/validate/validate_pb.ts';
import { type Diagnostics, joinPath } from '../diagnostics.ts';
import { isUnwrapped, setValue } from './field-values.ts';
import { entryPath } from './position-map.ts';
import { type ValueCheck, valueCheck } from './rule-checks.ts';

/** Judges one message (not what is inside it) at `path`. */
type MessageCheck = (message: Message, path: string, found: Diagnostics) => void;

interface Options {
  readonly rules: GenExtension<FieldOptions, FieldRules>;
  readonly required: GenExtension<OneofOptions, boolean>;
  readonly disabled: GenExtension<MessageOptions, boolean>;
  readonly ignored: GenExtension<MessageOptions, boolean>;
}

/** Messages whose rules Envoy never applies: with trust_bundles there need be no trust_domains. */
const unapplied: readonly string[] = ['envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig'];

const compiled = new WeakMap<DescMessage, readonly MessageCheck[]>();
let options: Options | null = null;

/** Applies the `validate.rules` of one message's own fields; a violation is an error at the field's path. */
export function checkRules(type: DescMessage, message: Message, path: string, found: Diagnostics): void {
  let checks = compiled.get(type);
  if (checks === undefined) {
    checks = compile(type);
    compiled.set(type, checks);
  }
  for (const check of checks) check(message, path, found);
}

/** Whether the rules of what a field holds are not to be applied (`validate.rules.message.skip`). */
export function rulesSkipped(field: DescField): boolean {
  const rules = rulesOf(field);
  return rules?.message?.skip === true;
}

function validateOptions(): Options {
  const extension = (name: string): unknown => protoRegistry().getExtension(`validate.${name}`);
  options ??= {
    rules: extension('rules'),
    required: extension('required'),
    disabled: extension('disabled'),
    ignored: extension('ignored'),
  } as Options;
  return options;
}

function rulesOf(field: DescField): FieldRules | null {
  const { rules } = validateOptions();
  return rules !== undefined && hasOption(field, rules) ? getOption(field, rules) : null;
}

function compile(type: DescMessage): readonly MessageCheck[] {
  const { required, disabled, ignored } = validateOptions();
  if (required === undefined || unapplied.includes(type.typeName)) return [];
  if (getOption(type, disabled) || getOption(type, ignored)) return [];
  const checks: MessageCheck[] = [];
  for (const oneof of type.oneofs) {
    if (!getOption(oneof, required)) continue;
    const names = oneof.fields.map((field) => field.name).join(', ');
    checks.push((message, path, found) => {
      const chosen = (message as unknown as Record<string, { case?: string }>)[oneof.localName];
      if (chosen?.case === undefined) found.error(path, `one of ${names} is required`);
    });
  }
  for (const field of type.fields) {
    const rules = rulesOf(field);
    if (rules !== null) checks.push(...fieldChecks(field, rules));
  }
  return checks;
}

function fieldChecks(field: DescField, rules: FieldRules): MessageCheck[] {
  const checks: MessageCheck[] = [];
  // A member of a oneof is judged only when it is the one chosen.
  if (isRequired(rules) && field.oneof === undefined) {
    checks.push((message, path, found) => {
      if (setValue(message, field) === undefined) found.error(joinPath(path, field.name), 'is required');
    });
  }
  if (field.fieldKind === 'list') checks.push(...listChecks(field, rules));
  else if (field.fieldKind === 'map') checks.push(...mapChecks(field, rules));
  else {
    const check = valueCheck(rules, definedNumbers(field));
    if (check !== null) checks.push(singleCheck(field, check));
  }
  return checks;
}

function isRequired(rules: FieldRules): boolean {
  if (rules.message?.required === true) return true;
  const { type } = rules;
  return (type.case === 'any' || type.case === 'duration' || type.case === 'timestamp') && type.value.required;
}

function definedNumbers(field: DescField): ReadonlySet<number> | null {
  return field.enum === undefined ? null : new Set(field.enum.values.map((value) => value.number));
}

/** Messages, wrappers and members of a oneof are judged when they are set, plain scalars always. */
function singleCheck(field: DescField, check: ValueCheck): MessageCheck {
  const optional = field.fieldKind === 'message' || field.oneof !== undefined || field.proto.proto3Optional;
  const wrapped = field.fieldKind === 'message' && !isUnwrapped(field) && field.message.name.endsWith('Value');
  return (message, path, found) => {
    const held = optional
      ? presentValue(message, field)
      : (message as unknown as Record<string, unknown>)[field.localName];
    if (held === undefined) return;
    const problem = check(wrapped ? (held as { value: unknown }).value : held);
    if (problem !== null) found.error(joinPath(path, field.name), problem);
  };
}

function presentValue(message: Message, field: DescField): unknown {
  if (field.oneof !== undefined) return setValue(message, field);
  return (message as unknown as Record<string, unknown>)[field.localName];
}

function listChecks(field: DescField & { fieldKind: 'list' }, rules: FieldRules): MessageCheck[] {
  if (rules.type.case !== 'repeated') return [];
  const { minItems, maxItems, unique, items, ignoreEmpty } = rules.type.value;
  const least = Number(minItems);
  const most = Number(maxItems) === 0 ? Number.POSITIVE_INFINITY : Number(maxItems);
  const itemCheck = items === undefined ? null : valueCheck(items, definedNumbers(field));
  return [
    (message, path, found) => {
      const at = joinPath(path, field.name);
      const list = (message as unknown as Record<string, readonly unknown[]>)[field.localName]!;
      if (list.length === 0 && ignoreEmpty) return;
      if (list.length < least) {
        found.error(at, least === 1 ? 'must not be empty' : `must have at least ${least} items`);
      } else if (list.length > most) {
        found.error(at, `must have at most ${most} items`);
      }
      if (unique) reportRepeated(list, at, found);
      if (itemCheck === null) return;
      for (const [i, item] of list.entries()) {
        const problem = itemCheck(item);
        if (problem !== null) found.error(`${at}[${i}]`, problem);
      }
    },
  ];
}

function reportRepeated(list: readonly unknown[], path: string, found: Diagnostics): void {
  const seen = new Set<unknown>();
  for (const [i, item] of list.entries()) {
    if (seen.has(item)) found.error(`${path}[${i}]`, 'is in the list twice');
    seen.add(item);
  }
}

function mapChecks(field: DescField & { fieldKind: 'map' }, rules: FieldRules): MessageCheck[] {
  if (rules.type.case !== 'map') return [];
  const { minPairs, maxPairs, keys, values } = rules.type.value;
  const most = Number(maxPairs) === 0 ? Number.POSITIVE_INFINITY : Number(maxPairs);
  const keyCheck = keys === undefined ? null : valueCheck(keys, null);
  const entryCheck = values === undefined ? null : valueCheck(values, definedNumbers(field));
  return [
    (message, path, found) => {
      const at = joinPath(path, field.name);
      const entries = Object.entries((message as unknown as Record<string, object>)[field.localName]!);
      if (entries.length < Number(minPairs)) found.error(at, `must have at least ${minPairs} entries`);
      if (entries.length > most) found.error(at, `must have at most ${most} entries`);
      for (const [key, value] of entries) {
        const problem = keyCheck?.(key) ?? entryCheck?.(value) ?? null;
        if (problem !== null) found.error(entryPath(at, key), problem);
      }
    },
  ];
}
