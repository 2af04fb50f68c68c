import { Buffer } from 'node:buffer';
import { closeSync, existsSync, fstatSync, openSync, readSync, writeFileSync } from 'node:fs';

/** Whether something is at the path. */
export function isPresent(path: string): boolean {
  return existsSync(path);
}

/** Writes a small text file at once. Throws the system's error. */
export function writeTextFile(path: string, text: string): void {
  writeFileSync(path, text);
}

const chunkOctets = 65_536;

/** Reads a whole file of at most `maxOctets`. Throws the system's error, or one that says that it is a directory or too large. */
export function readBoundedFile(path: string, maxOctets: number): Uint8Array {
  const file = openSync(path, 'r');
  try {
    const status = fstatSync(file);
    if (status.isDirectory()) throw new Error('it is a directory');
    const tooLarge = `it is larger than ${maxOctets} octets`;
    if (status.size > maxOctets) throw new Error(tooLarge);
    const chunks: Uint8Array[] = [];
    let octets = 0;
    for (;;) {
      // One more than it says, so that the end is seen at once; devices and pipes say nothing.
      const chunk = Buffer.allocUnsafe(Math.max(chunkOctets, status.size - octets + 1));
      const read = readSync(file, chunk);
      if (read === 0) return Buffer.concat(chunks, octets);
      octets += read;
      if (octets > maxOctets) throw new Error(tooLarge);
      chunks.push(chunk.subarray(0, read));
    }
  } finally {
    closeSync(file);
  }
}
