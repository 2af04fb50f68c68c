import { type DescEnum, ScalarType } from '@bufbuild/protobuf';
import { base64Decode } from '@bufbuild/protobuf/wire';
import { nearestName } from '#gateway/base/nearest-name.ts';
import { enumIndex } from './field-index.ts';
import { describeNode, type ScalarNode, type SourceNode } from './source-node.ts';

/** A value that cannot be read: what is wrong, and what was probably meant. */
export class Unreadable {
  readonly problem: string;
  readonly suggestion: string | null;

  constructor(problem: string, suggestion: string | null = null) {
    this.problem = problem;
    this.suggestion = suggestion;
  }
}

/** A protobuf scalar as @bufbuild/protobuf holds it: 64-bit integers are bigint. */
export type ScalarValue = string | number | bigint | boolean | Uint8Array;

const TRUE = /^(?:true|t|yes|y|1)$/i;
const FALSE = /^(?:false|f|no|n|0)$/i;
const NUMBER = /^-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

const RANGES: Readonly<Partial<Record<ScalarType, readonly [bigint, bigint]>>> = {
  [ScalarType.INT32]: [-(2n ** 31n), 2n ** 31n - 1n],
  [ScalarType.SINT32]: [-(2n ** 31n), 2n ** 31n - 1n],
  [ScalarType.SFIXED32]: [-(2n ** 31n), 2n ** 31n - 1n],
  [ScalarType.UINT32]: [0n, 2n ** 32n - 1n],
  [ScalarType.FIXED32]: [0n, 2n ** 32n - 1n],
  [ScalarType.INT64]: [-(2n ** 63n), 2n ** 63n - 1n],
  [ScalarType.SINT64]: [-(2n ** 63n), 2n ** 63n - 1n],
  [ScalarType.SFIXED64]: [-(2n ** 63n), 2n ** 63n - 1n],
  [ScalarType.UINT64]: [0n, 2n ** 64n - 1n],
  [ScalarType.FIXED64]: [0n, 2n ** 64n - 1n],
};

const WIDE: ReadonlySet<ScalarType> = new Set([
  ScalarType.INT64,
  ScalarType.SINT64,
  ScalarType.SFIXED64,
  ScalarType.UINT64,
  ScalarType.FIXED64,
]);

/** Reads one value of a scalar field; numbers may be written as strings, booleans as words, as Envoy's reader allows. */
export function readScalar(type: ScalarType, node: SourceNode): ScalarValue | Unreadable {
  if (node.kind !== 'scalar' || node.value === null) {
    return new Unreadable(`expected ${scalarName(type)}, found ${describeNode(node)}`);
  }
  switch (type) {
    case ScalarType.STRING:
      return readString(node);
    case ScalarType.BOOL:
      return readBool(node);
    case ScalarType.BYTES:
      return readBytes(node);
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return readFloat(type, node);
    default:
      return readInteger(type, node);
  }
}

/** Reads an enum value: its name in any case, or its number. */
export function readEnum(type: DescEnum, node: SourceNode): number | Unreadable {
  if (node.kind !== 'scalar' || node.value === null || typeof node.value === 'boolean') {
    return new Unreadable(`expected one of ${valueNames(type)}, found ${describeNode(node)}`);
  }
  if (typeof node.value === 'number') {
    return Number.isInteger(node.value) ? node.value : new Unreadable(`expected a whole number, found ${node.value}`);
  }
  const known = enumIndex(type).get(node.value.toUpperCase());
  if (known !== undefined) return known;
  if (/^-?\d+$/.test(node.value)) return Number(node.value);
  const names = type.values.map((value) => value.name);
  return new Unreadable(
    `"${node.value}" is not a value of ${type.name} (${valueNames(type)})`,
    nearestName(node.value, names),
  );
}

function valueNames(type: DescEnum): string {
  const names = type.values.map((value) => value.name);
  return names.length > 12 ? `${names.slice(0, 12).join(', ')}, …` : names.join(', ');
}

function readString(node: ScalarNode): string | Unreadable {
  if (typeof node.value === 'string') return node.value;
  return new Unreadable(`expected a string, found ${describeNode(node)}`, `"${node.word ?? node.value}" in quotes`);
}

function readBool(node: ScalarNode): boolean | Unreadable {
  if (typeof node.value === 'boolean') return node.value;
  const text = typeof node.value === 'string' ? node.value : '';
  if (TRUE.test(text)) return true;
  if (FALSE.test(text)) return false;
  const meant =
    text !== '' ? nearestName(text, ['true', 'false']) : node.value === 1 ? 'true' : node.value === 0 ? 'false' : null;
  return new Unreadable(`expected true or false, found ${describeNode(node)}`, meant);
}

function readBytes(node: ScalarNode): Uint8Array | Unreadable {
  if (typeof node.value === 'string') {
    try {
      return base64Decode(node.value);
    } catch {
      return new Unreadable('expected octets in base64');
    }
  }
  return new Unreadable(`expected octets in base64, found ${describeNode(node)}`);
}

function readFloat(type: ScalarType, node: ScalarNode): number | Unreadable {
  const { value } = node;
  if (typeof value === 'number') {
    return Number.isFinite(value) ? value : new Unreadable('the number is out of range');
  }
  if (value === 'NaN') return Number.NaN;
  if (value === 'Infinity') return Number.POSITIVE_INFINITY;
  if (value === '-Infinity') return Number.NEGATIVE_INFINITY;
  if (typeof value === 'string' && NUMBER.test(value)) {
    const number = Number(value);
    const limit = type === ScalarType.FLOAT ? 3.4028235e38 : Number.MAX_VALUE;
    return Math.abs(number) <= limit ? number : new Unreadable(`${value} is out of range`);
  }
  return new Unreadable(`expected a number, found ${describeNode(node)}`, numberIn(value));
}

function readInteger(type: ScalarType, node: ScalarNode): number | bigint | Unreadable {
  const { value } = node;
  const whole = typeof value === 'boolean' ? null : wholeNumber(String(value));
  if (whole === null) {
    const isNumber = typeof value === 'number' || (typeof value === 'string' && NUMBER.test(value));
    const problem = isNumber
      ? `expected a whole number, found ${value}`
      : `expected a number, found ${describeNode(node)}`;
    return new Unreadable(problem, isNumber ? null : numberIn(value));
  }
  const range = RANGES[type]!;
  if (whole < range[0] || whole > range[1]) {
    return new Unreadable(`${value} is out of range: it must be from ${range[0]} to ${range[1]}`);
  }
  return WIDE.has(type) ? whole : Number(whole);
}

/** The integer that a text writes, `1e3` and `2.0` included; null when it writes none. */
function wholeNumber(text: string): bigint | null {
  if (/^-?\d+$/.test(text)) return BigInt(text);
  if (!NUMBER.test(text)) return null;
  const number = Number(text);
  return Number.isSafeInteger(number) ? BigInt(number) : null;
}

/** The number at the start of a text such as `32KiB` or `1_000`, as a suggestion. */
function numberIn(value: ScalarNode['value']): string | null {
  if (typeof value !== 'string') return null;
  const joined = value.replace(/[_,]/g, '');
  if (/^\d+$/.test(joined)) return joined;
  const unit = /^(\d+)\s*([kmg])i?b?$/i.exec(joined);
  if (unit === null) return null;
  const factor = { k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[unit[2]!.toLowerCase() as 'k' | 'm' | 'g'];
  return String(Number(unit[1]) * factor);
}

function scalarName(type: ScalarType): string {
  if (type === ScalarType.STRING) return 'a string';
  if (type === ScalarType.BOOL) return 'true or false';
  if (type === ScalarType.BYTES) return 'octets in base64';
  return 'a number';
}
