import { type CelResult, isCelError } from '@bufbuild/cel';

/** A CEL expression's value as Envoy writes it in a descriptor: scalars as they are; null for an error and for what has no text. */
export function celText(result: CelResult): string | null {
  if (isCelError(result)) return null;
  switch (typeof result) {
    case 'string':
    case 'boolean':
    case 'bigint':
    case 'number':
      return String(result);
    default:
      return null;
  }
}
