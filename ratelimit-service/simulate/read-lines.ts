import { Buffer } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { standardInput } from '#gateway/runtime/process.ts';
import { fileFailure } from '../config/failure-text.ts';
import { SimulationError } from './simulation-error.ts';

/** A longer line is not read, octets. */
const maxLineOctets = 1_048_576;
const chunkOctets = 262_144;

/**
 * The lines of a file, or of standard input (`-`), as they come, many at a time; null stands for a line of more than 1 MiB.
 * What is compressed with gzip is unpacked, whatever its name. Throws {@link SimulationError} when the file cannot be read.
 */
export async function* readLines(path: string): AsyncGenerator<(string | null)[]> {
  const source = path === '-' ? standardInput() : createReadStream(path, { highWaterMark: chunkOctets });
  try {
    yield* linesOf(unpacked(source));
  } catch (error) {
    if (error instanceof SimulationError) throw error;
    throw new SimulationError(`${path === '-' ? 'standard input' : path}: ${fileFailure(error)}`);
  } finally {
    source.destroy();
  }
}

async function* unpacked(source: Readable): AsyncGenerator<Uint8Array> {
  const chunks = source[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  const first = await chunks.next();
  if (first.done === true) return;
  const all = async function* (): AsyncGenerator<Uint8Array> {
    for (let next: IteratorResult<Uint8Array> = first; next.done !== true; next = await chunks.next()) yield next.value;
  };
  if (first.value[0] !== 0x1f || first.value[1] !== 0x8b) {
    yield* all();
    return;
  }
  const gunzip = createGunzip({ chunkSize: chunkOctets });
  const packed = Readable.from(all());
  packed.on('error', (error) => gunzip.destroy(error));
  packed.pipe(gunzip);
  yield* gunzip as AsyncIterable<Uint8Array>;
}

async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<(string | null)[]> {
  /** The line that has no end yet, in pieces. */
  let pieces: Uint8Array[] = [];
  let octets = 0;
  let tooLong = false;
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(0x0a);
    if (end === -1) {
      octets += chunk.length;
      if (octets > maxLineOctets) {
        tooLong = true;
        pieces = [];
      } else pieces.push(chunk);
      continue;
    }
    pieces.push(chunk.subarray(0, end));
    const lines = textLines(pieces);
    if (tooLong) lines[0] = null;
    yield lines;
    pieces = [chunk.subarray(end + 1)];
    octets = chunk.length - end - 1;
    tooLong = false;
  }
  if (tooLong) yield [null];
  else if (octets > 0) yield textLines(pieces);
}

function textLines(pieces: readonly Uint8Array[]): (string | null)[] {
  const text = Buffer.concat(pieces).toString('utf8');
  const lines: (string | null)[] = text.split('\n');
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    if (line.charCodeAt(line.length - 1) === 0x0d) lines[i] = line.slice(0, -1);
  }
  return lines;
}
