import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { editDistance, nearestName } from '#gateway/base/nearest-name.ts';
import { fieldIndex } from './field-index.ts';

/** What an unknown field was probably meant to be. */
export interface FieldSuggestion {
  /** Ready to follow "did you mean". */
  readonly text: string;
  /** The field of the same message that was meant, when it is one. */
  readonly field?: DescField;
}

/** A name this near is a slip of the keyboard, even where the key is a field of another message. */
const SLIP = 1;

/**
 * What the unknown `key` of a `type` message was meant to be: a field of that message spelt wrong, or one that belongs to
 * a message around it or to one of its fields, as after a wrong indentation. `within` lists the messages
 * around it, the message itself last.
 */
export function suggestField(type: DescMessage, within: readonly DescMessage[], key: string): FieldSuggestion | null {
  const name = nearestName(
    key,
    type.fields.map((field) => field.name),
  );
  const near = type.fields.find((field) => field.name === name);
  if (near !== undefined && editDistance(near.name, key) <= SLIP) return { text: near.name, field: near };
  const around = within.slice(0, -1).reverse();
  const owner = around.find((one) => fieldIndex(one).has(key));
  if (owner !== undefined) return { text: `${key} of the ${owner.name} around it (check the indentation)` };
  const below = type.fields.find((field) => field.message !== undefined && fieldIndex(field.message).has(key));
  if (below !== undefined && near === undefined) return { text: `${below.name}.${key}` };
  return near === undefined ? null : { text: near.name, field: near };
}
