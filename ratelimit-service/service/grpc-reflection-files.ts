import { toBinary } from '@bufbuild/protobuf';
import {
  type DescriptorProto,
  type EnumDescriptorProto,
  type FieldDescriptorProto,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
} from '@bufbuild/protobuf/wkt';

/** The proto files that some services need, and what each declares. */
export class ReflectionFiles {
  readonly #files = new Map<string, FileDescriptorProto>();
  /** File by full name: messages, fields, enums and their values, extensions, services and methods. */
  readonly #owners = new Map<string, string>();
  /** File by the number of an extension, by the type that it extends. */
  readonly #extensions = new Map<string, Map<number, string>>();
  /** Full names of services, in the order of the files. */
  readonly services: readonly string[];

  /** `roots` are indexed with all that they import; `find` gives a file by its name. Throws when one is missing. */
  constructor(roots: readonly string[], find: (name: string) => FileDescriptorProto | undefined) {
    for (const root of roots) this.#add(root, find);
    this.services = roots.flatMap((root) => {
      const file = this.#files.get(root)!;
      return file.service.map(({ name }) => scoped(file.package, name));
    });
  }

  /** Encoded: the file, then all that it imports and that `sent` does not have; `sent` gets them. Null for no such file. */
  withImports(name: string, sent: Set<string>): Uint8Array[] | null {
    if (!this.#files.has(name)) return null;
    const encoded: Uint8Array[] = [];
    const waiting = [name];
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      if (encoded.length > 0 && sent.has(next)) continue;
      sent.add(next);
      const file = this.#files.get(next)!;
      encoded.push(toBinary(FileDescriptorProtoSchema, file));
      waiting.push(...file.dependency);
    }
    return encoded;
  }

  /** The file that declares a name; null for none. */
  fileOf(symbol: string): string | null {
    return this.#owners.get(symbol) ?? null;
  }

  /** The file with an extension of a type; null for none. */
  fileOfExtension(type: string, number: number): string | null {
    return this.#extensions.get(type)?.get(number) ?? null;
  }

  /** Numbers of all extensions of a type; null when there is no such type. */
  extensionNumbers(type: string): number[] | null {
    if (!this.#owners.has(type)) return null;
    return [...(this.#extensions.get(type)?.keys() ?? [])].sort((a, b) => a - b);
  }

  #add(name: string, find: (name: string) => FileDescriptorProto | undefined): void {
    if (this.#files.has(name)) return;
    const file = find(name);
    if (file === undefined) throw new Error(`the descriptor set lacks ${name}`);
    this.#files.set(name, file);
    for (const message of file.messageType) this.#addMessage(name, file.package, message);
    for (const each of file.enumType) this.#addEnum(name, file.package, each);
    for (const extension of file.extension) this.#addExtension(name, file.package, extension);
    for (const service of file.service) {
      const fullName = scoped(file.package, service.name);
      this.#owners.set(fullName, name);
      for (const method of service.method) this.#owners.set(scoped(fullName, method.name), name);
    }
    for (const dependency of file.dependency) this.#add(dependency, find);
  }

  #addMessage(file: string, scope: string, message: DescriptorProto): void {
    const name = scoped(scope, message.name);
    this.#owners.set(name, file);
    for (const field of message.field) this.#owners.set(scoped(name, field.name), file);
    for (const each of message.oneofDecl) this.#owners.set(scoped(name, each.name), file);
    for (const each of message.enumType) this.#addEnum(file, name, each);
    for (const extension of message.extension) this.#addExtension(file, name, extension);
    for (const nested of message.nestedType) this.#addMessage(file, name, nested);
  }

  /** The values of an enum have the scope of the enum itself. */
  #addEnum(file: string, scope: string, { name, value }: EnumDescriptorProto): void {
    this.#owners.set(scoped(scope, name), file);
    for (const each of value) this.#owners.set(scoped(scope, each.name), file);
  }

  #addExtension(file: string, scope: string, extension: FieldDescriptorProto): void {
    this.#owners.set(scoped(scope, extension.name), file);
    const type = extension.extendee.replace(/^\./, '');
    let numbers = this.#extensions.get(type);
    if (numbers === undefined) {
      numbers = new Map();
      this.#extensions.set(type, numbers);
    }
    numbers.set(extension.number, file);
  }
}

function scoped(scope: string, name: string): string {
  return scope === '' ? name : `${scope}.${name}`;
}
