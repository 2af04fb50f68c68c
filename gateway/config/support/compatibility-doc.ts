import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { protoRegistry } from '#gateway/proto/registry.ts';
import { refusedOperators, tlsObservations } from './command-operators.ts';
import { fieldClass, supportTable } from './field-class.ts';
import { rateLimitObservations, runtimeObservations } from './traffic-observations.ts';

const HEAD = `# Compatibility with Envoy's configuration

This file is made from the registry of field classes by \`gateway/config/compatibility-doc.ts --write\`; a test compares them.

sluice reads Envoy's v3 bootstrap (and, with a warning for each construct, the v2 style). Every field is in one of these classes:

- **implemented**: it does what Envoy's documentation says;
- **accepted without effect**: it only tunes and cannot change an answer; the reason is given;
- **read as another field**: deprecated, and rewritten when a text is read;
- **not supported yet**: a configuration that sets it to anything but its default is refused with its name.

A message type that is not listed here is refused by name inside an \`Any\`, and so is every field of it elsewhere.
`;

/** The text of docs/compatibility.md, from the registry of field classes. */
export function compatibilityDoc(): string {
  const registry = protoRegistry();
  const types: DescMessage[] = [];
  for (const typeName of [...supportTable().keys()].sort()) {
    const type = registry.getMessage(typeName);
    if (type === undefined) throw new Error(`a support area describes ${typeName}, which does not exist`);
    types.push(type);
  }
  const sections = types.map(section);
  return `${HEAD}\n${summary(types)}\n${sections.join('\n')}\n${observations()}`;
}

function observations(): string {
  const refused = Object.entries(refusedOperators).map(([name, reason]) => `- \`%${name}%\`: ${reason}`);
  return [
    '## Command operators',
    '',
    "Access logs and header values know Envoy's command operators. These are refused by name:",
    '',
    ...refused.toSorted(),
    '',
    '## What TLS shows',
    '',
    "Log lines, headers and counters about TLS are Envoy's, but for this:",
    '',
    ...tlsObservations.map((sentence) => `- ${sentence}`),
    '',
    '## What rate limits do otherwise',
    '',
    ...rateLimitObservations.map((sentence) => `- ${sentence}`),
    '',
    '## What runtimes do otherwise',
    '',
    ...runtimeObservations.map((sentence) => `- ${sentence}`),
    '',
  ].join('\n');
}

function summary(types: readonly DescMessage[]): string {
  const counts = { implemented: 0, 'no effect': 0, rewritten: 0, unsupported: 0 };
  for (const type of types) for (const field of type.fields) counts[fieldClass(field).kind]++;
  return [
    '| messages listed | fields implemented | without effect | read as another | not supported yet |',
    '|---|---|---|---|---|',
    `| ${types.length} | ${counts.implemented} | ${counts['no effect']} | ${counts.rewritten} | ${counts.unsupported} |`,
    '',
  ].join('\n');
}

function section(type: DescMessage): string {
  const lines = [`## ${type.typeName}`, ''];
  const implemented: string[] = [];
  const refused: string[] = [];
  const others: string[] = [];
  for (const field of byName(type.fields)) {
    const verdict = fieldClass(field);
    if (verdict.kind === 'implemented') implemented.push(named(field, verdict.values));
    else if (verdict.kind === 'unsupported') refused.push(`\`${field.name}\``);
    else if (verdict.kind === 'no effect') others.push(`- \`${field.name}\` has no effect: ${verdict.reason}`);
    else others.push(`- \`${field.name}\` is read as \`${verdict.as}\``);
  }
  if (type.fields.length === 0) lines.push('A message without fields.');
  if (implemented.length > 0) lines.push(`Implemented: ${implemented.join(', ')}`);
  if (others.length > 0) lines.push('', ...others);
  if (refused.length > 0) lines.push('', `Not supported yet: ${refused.join(', ')}`);
  return `${lines.join('\n').replace(/\n{3,}/g, '\n\n')}\n`;
}

function named(field: DescField, values: readonly string[] | null): string {
  return values === null ? `\`${field.name}\`` : `\`${field.name}\` (${values.join(', ')})`;
}

function byName(fields: readonly DescField[]): readonly DescField[] {
  return fields.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
