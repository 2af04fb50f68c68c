import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { areas } from './index-of-areas.ts';
import type { MessageSupport, SupportArea } from './support-area.ts';

/** What happens to a field that is set. */
export type FieldClass =
  | { readonly kind: 'implemented'; readonly values: readonly string[] | null }
  | { readonly kind: 'no effect'; readonly reason: string }
  | { readonly kind: 'rewritten'; readonly as: string }
  | { readonly kind: 'unsupported' };

const UNSUPPORTED: FieldClass = { kind: 'unsupported' };
const IMPLEMENTED: FieldClass = { kind: 'implemented', values: null };

/** All areas' messages in one table; a message that two areas describe is a mistake of ours and throws. */
export function mergeAreas(list: readonly SupportArea[]): ReadonlyMap<string, MessageSupport> {
  const merged = new Map<string, MessageSupport>();
  for (const area of list) {
    for (const [typeName, support] of Object.entries(area)) {
      if (merged.has(typeName)) throw new Error(`two support areas describe ${typeName}`);
      merged.set(typeName, support);
    }
  }
  return merged;
}

let table: ReadonlyMap<string, MessageSupport> | null = null;

/** The registry of field classes: every message that some area describes, by full name. */
export function supportTable(): ReadonlyMap<string, MessageSupport> {
  table ??= mergeAreas(areas);
  return table;
}

/** The class of one field. */
export function fieldClass(field: DescField): FieldClass {
  const support = supportTable().get(field.parent.typeName);
  if (support === undefined) return UNSUPPORTED;
  const reason = support.noEffect?.[field.name];
  if (reason !== undefined) return { kind: 'no effect', reason };
  const other = support.rewritten?.[field.name];
  if (other !== undefined) return { kind: 'rewritten', as: other };
  if (support.implemented !== 'all' && !support.implemented.includes(field.name)) return UNSUPPORTED;
  const values = support.values?.[field.name];
  return values === undefined ? IMPLEMENTED : { kind: 'implemented', values };
}

/** Whether messages of this type may stand inside an `Any`. */
export function typeKnown(type: DescMessage): boolean {
  return supportTable().has(type.typeName);
}
