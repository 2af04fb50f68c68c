import type { DescEnum, DescField, DescMessage } from '@bufbuild/protobuf';

const fieldsOf = new WeakMap<DescMessage, Map<string, DescField>>();
const valuesOf = new WeakMap<DescEnum, Map<string, number>>();

/** The fields of a message by both of their spellings, `connect_timeout` and `connectTimeout`. */
export function fieldIndex(message: DescMessage): ReadonlyMap<string, DescField> {
  let index = fieldsOf.get(message);
  if (index === undefined) {
    index = new Map();
    for (const field of message.fields) {
      index.set(field.jsonName, field);
      index.set(field.name, field);
    }
    fieldsOf.set(message, index);
  }
  return index;
}

/** The values of an enum by their names in upper case. */
export function enumIndex(type: DescEnum): ReadonlyMap<string, number> {
  let index = valuesOf.get(type);
  if (index === undefined) {
    index = new Map(type.values.map((value) => [value.name.toUpperCase(), value.number]));
    valuesOf.set(type, index);
  }
  return index;
}
