import type { Scalar } from 'yaml';

const largest = 9_223_372_036_854_775_807n;

/**
 * An integer as the reference's YAML library reads it, where that is not what this one makes of it: `0o17` is one, `08` is a
 * fraction, and those above 2^53 are exact up to 64 bits. Undefined when this library is right, null when it is no integer.
 */
export function readInteger({ source, type }: Scalar): bigint | null | undefined {
  if (source === undefined || type !== 'PLAIN') return undefined;
  const plain = source.replaceAll('_', '');
  if (/^[-+]?0o[0-7]+$/.test(plain)) return signed(plain, (digits) => BigInt(digits));
  if (!/^[-+]?[0-9]+$/.test(plain)) return undefined;
  if (/^[-+]?0[0-9]*[89]/.test(plain)) return null;
  if (/^[-+]?0[0-9]/.test(plain)) return undefined;
  return signed(plain, (digits) => BigInt(digits));
}

function signed(plain: string, read: (digits: string) => bigint): bigint | null {
  const value = read(plain.replace(/^[-+]/, ''));
  if (plain.startsWith('-')) return value > largest + 1n ? null : -value;
  return value > largest ? null : value;
}
