import { Buffer } from 'node:buffer';
import { LimitConfigError } from './limit-config-error.ts';

/** What YAML 1.1 allows in no file; surrogates are decoded by now. */
const forbidden = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]/;

/**
 * The text of a configuration file: UTF-8, or UTF-16 with a byte order mark. Throws {@link LimitConfigError} for octets that
 * are neither: they would otherwise become other characters, and so other keys.
 */
export function decodeYaml(file: string, octets: Uint8Array): string {
  const utf16 = (octets[0] === 0xff && octets[1] === 0xfe) || (octets[0] === 0xfe && octets[1] === 0xff);
  if (utf16) {
    const littleEndian = Buffer.from(octets.subarray(2, octets.length - (octets.length % 2)));
    if (octets[0] === 0xfe) littleEndian.swap16();
    return littleEndian.toString('utf16le');
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(octets);
  } catch {
    throw yamlError(file, 'this is not UTF-8', lineOfBadOctet(octets));
  }
}

/** Throws {@link LimitConfigError} for control characters. */
export function checkCharacters(file: string, text: string): void {
  const at = text.search(forbidden);
  if (at === -1) return;
  const line = text.slice(0, at).split('\n').length;
  throw yamlError(file, 'control characters are not allowed', line);
}

/** A file that is no YAML; `line` counts from 1, 0 where none is known. */
export function yamlError(file: string, problem: string, line = 0): LimitConfigError {
  return new LimitConfigError(file, `error loading config file: yaml: ${line === 0 ? '' : `line ${line}: `}${problem}`);
}

function lineOfBadOctet(octets: Uint8Array): number {
  let line = 1;
  let start = 0;
  for (let end = octets.indexOf(0x0a); end !== -1; end = octets.indexOf(0x0a, start)) {
    if (!isUtf8(octets.subarray(start, end))) return line;
    start = end + 1;
    line++;
  }
  return line;
}

function isUtf8(octets: Uint8Array): boolean {
  return Buffer.compare(Buffer.from(Buffer.from(octets).toString('utf8')), octets) === 0;
}
