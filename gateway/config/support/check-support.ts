import type { DescField, DescMessage, Message } from '@bufbuild/protobuf';
import { type Diagnostics, joinPath } from '../diagnostics.ts';
import { setValue } from '../load/field-values.ts';
import { type FieldClass, fieldClass } from './field-class.ts';

/** What a refusal says; tests and tools look for it. */
export const NOT_SUPPORTED = 'not supported yet';

interface CheckedField {
  readonly field: DescField;
  readonly verdict: FieldClass;
}

const checkedFields = new WeakMap<DescMessage, readonly CheckedField[]>();

/**
 * Refuses the set fields of one message (not what is inside them) that the gateway does not implement; adds to
 * `refused` the fields that need no further look.
 */
export function checkSupport(
  type: DescMessage,
  message: Message,
  path: string,
  found: Diagnostics,
  refused: Set<DescField>,
): void {
  for (const { field, verdict } of fieldsToCheck(type)) {
    const value = setValue(message, field);
    if (value === undefined) continue;
    const at = joinPath(path, field.name);
    if (verdict.kind === 'no effect') {
      refused.add(field);
    } else if (verdict.kind === 'unsupported') {
      found.error(at, `${field.name} is ${NOT_SUPPORTED}`);
      refused.add(field);
    } else if (verdict.kind === 'rewritten') {
      found.error(at, `${field.name} is ${NOT_SUPPORTED}`, verdict.as);
      refused.add(field);
    } else if (verdict.values !== null) {
      checkValues(field, verdict.values, value, at, found);
    }
  }
}

function fieldsToCheck(type: DescMessage): readonly CheckedField[] {
  let checked = checkedFields.get(type);
  if (checked === undefined) {
    checked = type.fields
      .map((field) => ({ field, verdict: fieldClass(field) }))
      .filter(({ verdict }) => verdict.kind !== 'implemented' || verdict.values !== null);
    checkedFields.set(type, checked);
  }
  return checked;
}

function checkValues(
  field: DescField,
  working: readonly string[],
  value: unknown,
  path: string,
  found: Diagnostics,
): void {
  const numbers = Array.isArray(value) ? (value as readonly number[]) : [value as number];
  for (const number of numbers) {
    const name = field.enum?.value[number]?.name;
    if (name === undefined || working.includes(name)) continue;
    found.error(path, `${field.name}: ${name} is ${NOT_SUPPORTED}`);
  }
}
