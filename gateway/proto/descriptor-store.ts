import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { fromBinary } from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { type FileDescriptorProto, FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';

/** Field numbers of descriptor.proto that are read without decoding the rest. */
const SET_FILE = 1;
const FILE_NAME = 1;
const FILE_PACKAGE = 2;
const FILE_MESSAGE = 4;
const FILE_ENUM = 5;
const FILE_SERVICE = 6;
const FILE_EXTENSION = 7;

/** Types and extensions alike carry their name in field 1. */
const DECLARATION_NAME = 1;

/**
 * The proto files of one committed descriptor set, decoded one by one as they are asked for.
 *
 * Opening reads only the names: of some 600 files a bootstrap needs fewer than 200.
 */
export class DescriptorStore {
  readonly #files = new Map<string, Uint8Array>();
  readonly #owners = new Map<string, string>();

  /** Opens the gzipped FileDescriptorSet at `url`. */
  constructor(url: URL) {
    const reader = new BinaryReader(gunzipSync(readFileSync(url)));
    while (reader.pos < reader.len) {
      const [field, wire] = reader.tag();
      if (field === SET_FILE) this.#index(reader.bytes());
      else reader.skip(wire);
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

  #index(raw: Uint8Array): void {
    const reader = new BinaryReader(raw);
    let fileName = '';
    let packageName = '';
    while (reader.pos < reader.len) {
      const [field, wire] = reader.tag();
      if (field === FILE_NAME) {
        fileName = reader.string();
        this.#files.set(fileName, raw);
      } else if (field === FILE_PACKAGE) {
        packageName = reader.string();
      } else if (field === FILE_MESSAGE || field === FILE_ENUM || field === FILE_SERVICE || field === FILE_EXTENSION) {
        const name = declaredName(reader.bytes());
        this.#owners.set(packageName === '' ? name : `${packageName}.${name}`, fileName);
      } else {
        reader.skip(wire);
      }
    }
  }
}

function declaredName(raw: Uint8Array): string {
  const reader = new BinaryReader(raw);
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field === DECLARATION_NAME && wire === WireType.LengthDelimited) return reader.string();
    reader.skip(wire);
  }
  return '';
}
