import { latin1Slice } from '#gateway/runtime/latin1.ts';
import { HeaderMap } from '../headers/header-map.ts';
import { FieldRole, knownNames, knownRoles } from '../headers/known-names.ts';
import { fieldStride, type HeadScanner, unknownMixed } from './head-scanner.ts';

/**
 * The trailers that `scanner` found in `bytes`, or null when there are none. Fields that frame or route a message have no
 * meaning here (RFC 9110 section 6.5.1) and are dropped, so that nobody behind merges them into the head.
 */
export function readTrailers(scanner: HeadScanner, bytes: Uint8Array): HeaderMap | null {
  const { start, fields, count } = scanner;
  const text = latin1Slice(bytes, start, scanner.end);
  const entries: string[] = [];
  for (let slot = 0; slot < count * fieldStride; slot += fieldStride) {
    const known = fields[slot + 4]!;
    let name: string;
    if (known >= 0) {
      if (knownRoles[known] !== FieldRole.Plain) continue;
      name = knownNames[known]!;
    } else {
      name = text.substring(fields[slot]! - start, fields[slot + 1]! - start);
      if (known === unknownMixed) name = name.toLowerCase();
    }
    entries.push(name, text.substring(fields[slot + 2]! - start, fields[slot + 3]! - start));
  }
  return entries.length === 0 ? null : new HeaderMap(entries);
}
