import type { Buffer } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { fromBinary } from '@bufbuild/protobuf';
import { type FileDescriptorProto, FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';

/** Tags (field number and wire type 2, length-delimited) of descriptor.proto that are read without decoding the rest. */
const SET_FILE = (1 << 3) | 2;
const FILE_NAME = (1 << 3) | 2;
const FILE_PACKAGE = (2 << 3) | 2;
const FILE_MESSAGE = (4 << 3) | 2;
const FILE_ENUM = (5 << 3) | 2;
const FILE_SERVICE = (6 << 3) | 2;
const FILE_EXTENSION = (7 << 3) | 2;

/** Types and extensions alike carry their name in field 1. */
const DECLARATION_NAME = (1 << 3) | 2;

const DECLARATIONS: ReadonlySet<number> = new Set([FILE_MESSAGE, FILE_ENUM, FILE_SERVICE, FILE_EXTENSION]);

/**
 * The proto files of one committed descriptor set, decoded one by one as they are asked for.
 *
 * Opening reads only the names: of some 600 files a bootstrap needs fewer than 100. The set is ours and committed, so
 * its bytes are trusted.
 */
export class DescriptorStore {
  readonly #files = new Map<string, Buffer>();
  readonly #owners = new Map<string, string>();

  /** Opens the gzipped FileDescriptorSet at `url`. */
  constructor(url: URL) {
    const raw = gunzipSync(readFileSync(url));
    const cursor = new Cursor(raw, 0, raw.length);
    while (cursor.next()) {
      if (cursor.tag === SET_FILE) this.#index(raw, cursor.start, cursor.end);
    }
  }

  /** Names of all files, in the order of the set. */
  fileNames(): IterableIterator<string> {
    return this.#files.keys();
  }

  /** Full names of all top-level types and extensions. */
  typeNames(): IterableIterator<string> {
    return this.#owners.keys();
  }

  /** The file called `name`, undefined when the set has none. */
  file(name: string): FileDescriptorProto | undefined {
    const raw = this.#files.get(name);
    return raw === undefined ? undefined : fromBinary(FileDescriptorProtoSchema, raw);
  }

  /** Name of the file that declares `typeName` (nested types included), undefined when none does. */
  owner(typeName: string): string | undefined {
    for (let name = typeName; name !== ''; name = name.slice(0, Math.max(0, name.lastIndexOf('.')))) {
      const file = this.#owners.get(name);
      if (file !== undefined) return file;
    }
    return undefined;
  }

  #index(raw: Buffer, start: number, end: number): void {
    const cursor = new Cursor(raw, start, end);
    let fileName = '';
    let prefix = '';
    while (cursor.next()) {
      if (cursor.tag === FILE_NAME) {
        fileName = cursor.text();
        this.#files.set(fileName, raw.subarray(start, end));
      } else if (cursor.tag === FILE_PACKAGE) {
        prefix = `${cursor.text()}.`;
      } else if (DECLARATIONS.has(cursor.tag)) {
        const declaration = new Cursor(raw, cursor.start, cursor.end);
        while (declaration.next() && declaration.tag !== DECLARATION_NAME);
        this.#owners.set(prefix + declaration.text(), fileName);
      }
    }
  }
}

/** Steps over the fields of a message; `start` and `end` bound the value of a length-delimited one. */
class Cursor {
  tag = 0;
  start = 0;
  end = 0;
  readonly #raw: Buffer;
  readonly #limit: number;
  #at: number;

  constructor(raw: Buffer, start: number, end: number) {
    this.#raw = raw;
    this.#at = start;
    this.#limit = end;
  }

  /** Moves to the next field; false at the end. */
  next(): boolean {
    if (this.#at >= this.#limit) return false;
    this.tag = this.#varint();
    const isDelimited = (this.tag & 7) === 2;
    const length = this.#varint();
    this.start = this.#at;
    this.end = isDelimited ? this.#at + length : this.#at;
    this.#at = this.end;
    return true;
  }

  /** The value as text; names in descriptors are ASCII. */
  text(): string {
    return this.#raw.toString('latin1', this.start, this.end);
  }

  #varint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const octet = this.#raw[this.#at++]!;
      value |= (octet & 0x7f) << shift;
      if (octet < 0x80) return value;
    }
  }
}
