import type {
  DescEnum,
  DescExtension,
  DescFile,
  DescMessage,
  DescService,
  Message,
  MessageInitShape,
  Registry,
} from '@bufbuild/protobuf';
import { create, createFileRegistry, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { GenMessage } from '@bufbuild/protobuf/codegenv2';
import { nestedTypes } from '@bufbuild/protobuf/reflect';
import type { Any } from '@bufbuild/protobuf/wkt';
import { AnySchema, type FileDescriptorProto, FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { DescriptorStore } from './descriptor-store.ts';

type AnyDesc = DescMessage | DescEnum | DescExtension | DescService;

/** Any's type URLs are written with this in front; what stands before the last slash is not looked at. */
const TYPE_URL_PREFIX = 'type.googleapis.com/';

/**
 * Envoy's protobuf model: every message by its full name, linked file by file as types are asked for.
 *
 * It is a `Registry` of @bufbuild/protobuf, so `fromJson` and `toJson` resolve `Any` with it. The retired v2
 * API is a second store that is opened only when a v2 name is met.
 */
export class ProtoRegistry implements Registry {
  readonly kind = 'registry';
  readonly #current: DescriptorStore;
  readonly #openOld: () => DescriptorStore;
  #old: DescriptorStore | null = null;
  readonly #files = new Map<string, DescFile>();
  readonly #types = new Map<string, AnyDesc>();
  readonly #extensions = new Map<string, Map<number, DescExtension>>();

  constructor(current: DescriptorStore, openOld: () => DescriptorStore) {
    this.#current = current;
    this.#openOld = openOld;
  }

  /** All types; links every file of the current API. */
  [Symbol.iterator](): IterableIterator<AnyDesc> {
    this.loadAll();
    return this.#types.values();
  }

  /** Links every file of the current API: for documentation and tests, never at start. */
  loadAll(): void {
    for (const name of this.#current.fileNames()) this.#link(name, this.#current);
  }

  /** Full names of the top-level types of the current API, without linking them. */
  typeNames(): IterableIterator<string> {
    return this.#current.typeNames();
  }

  /** A file of the current API as it stands in the set, by its name; undefined when there is none. */
  fileProto(name: string): FileDescriptorProto | undefined {
    return this.#current.file(name);
  }

  get(typeName: string): AnyDesc | undefined {
    const known = this.#types.get(typeName);
    if (known !== undefined) return known;
    const file = this.#current.owner(typeName);
    if (file !== undefined) {
      this.#link(file, this.#current);
    } else if (typeName.startsWith('envoy.') && typeName.includes('.v2')) {
      this.#old ??= this.#openOld();
      const oldFile = this.#old.owner(typeName);
      if (oldFile !== undefined) this.#link(oldFile, this.#old);
    }
    return this.#types.get(typeName);
  }

  getMessage(typeName: string): DescMessage | undefined {
    const found = this.get(typeName);
    return found?.kind === 'message' ? found : undefined;
  }

  getEnum(typeName: string): DescEnum | undefined {
    const found = this.get(typeName);
    return found?.kind === 'enum' ? found : undefined;
  }

  getExtension(typeName: string): DescExtension | undefined {
    const found = this.get(typeName);
    return found?.kind === 'extension' ? found : undefined;
  }

  getExtensionFor(extendee: DescMessage, no: number): DescExtension | undefined {
    return this.#extensions.get(extendee.typeName)?.get(no);
  }

  getService(typeName: string): DescService | undefined {
    const found = this.get(typeName);
    return found?.kind === 'service' ? found : undefined;
  }

  /** Links `name` and what it imports, all in one go. */
  #link(name: string, store: DescriptorStore): void {
    if (this.#files.has(name)) return;
    const protos = new Map<string, FileDescriptorProto>();
    this.#collect(name, store, protos);
    for (const file of linkFiles(protos, this.#files)) {
      this.#files.set(file.proto.name, file);
      for (const type of nestedTypes(file)) this.#add(type);
    }
  }

  /** Adds `name` and its unlinked imports to `protos`, imports first. */
  #collect(name: string, store: DescriptorStore, protos: Map<string, FileDescriptorProto>): void {
    const proto = store.file(name) ?? this.#current.file(name);
    if (proto === undefined) throw new Error(`the descriptor set lacks ${name}`);
    for (const dependency of proto.dependency) {
      if (!protos.has(dependency) && !this.#files.has(dependency)) this.#collect(dependency, store, protos);
    }
    protos.set(name, proto);
  }

  #add(type: AnyDesc): void {
    this.#types.set(type.typeName, type);
    if (type.kind !== 'extension') return;
    const extendee = type.extendee.typeName;
    let numbers = this.#extensions.get(extendee);
    if (numbers === undefined) {
      numbers = new Map();
      this.#extensions.set(extendee, numbers);
    }
    numbers.set(type.number, type);
  }
}

/**
 * Links `protos`, given imports first, against each other and `linked`.
 *
 * One made-up file imports them all, because the library then takes them in the reverse of the order listed.
 * Linked files are handed in without their own imports, which the library would otherwise walk again for
 * every importer.
 */
function linkFiles(
  protos: ReadonlyMap<string, FileDescriptorProto>,
  linked: ReadonlyMap<string, DescFile>,
): DescFile[] {
  const names = [...protos.keys()];
  const imported = new Set<string>();
  for (const proto of protos.values()) {
    for (const name of proto.dependency) if (!protos.has(name)) imported.add(name);
  }
  const root = create(FileDescriptorProtoSchema, {
    name: 'sluice.root',
    syntax: 'proto3',
    dependency: [...imported, ...names.toReversed()],
  });
  const registry = createFileRegistry(root, (name) => {
    const file = linked.get(name);
    return file === undefined ? protos.get(name) : { ...file, dependencies: [] };
  });
  return names.map((name) => {
    const file = registry.getFile(name);
    if (file === undefined) throw new Error(`cannot link ${name}`);
    return file;
  });
}

let shared: ProtoRegistry | null = null;

/** The process's one registry, opened at first use. */
export function protoRegistry(): ProtoRegistry {
  shared ??= new ProtoRegistry(
    new DescriptorStore(new URL('./gen/envoy.binpb.gz', import.meta.url)),
    () => new DescriptorStore(new URL('./gen/envoy-v2.binpb.gz', import.meta.url)),
  );
  return shared;
}

/**
 * The schema of a message by its full name, typed by the shape that a caller names:
 * `messageSchema<Cluster>('envoy.config.cluster.v3.Cluster')`. Throws when there is no such message.
 */
export function messageSchema<Shape extends Message = Message>(typeName: Shape['$typeName']): GenMessage<Shape> {
  const schema = protoRegistry().getMessage(typeName);
  if (schema === undefined) throw new Error(`no message type ${typeName}`);
  return schema as unknown as GenMessage<Shape>;
}

/** Makes a message; fields left out have their default. */
export function createMessage<Shape extends Message>(
  typeName: Shape['$typeName'],
  init?: MessageInitShape<GenMessage<Shape>>,
): Shape {
  return create(messageSchema<Shape>(typeName), init) as Shape;
}

/**
 * The name of an enum value, as Envoy's documentation writes it: `enumName('envoy.config.cluster.v3.Cluster.LbPolicy', 3)`
 * is `RANDOM`. The number itself, in digits, when the enum has no such value.
 */
export function enumName(typeName: string, value: number): string {
  return protoRegistry().getEnum(typeName)?.value[value]?.name ?? String(value);
}

/** Encodes a message in protobuf's binary form. */
export function encodeMessage(message: Message): Uint8Array {
  return toBinary(messageSchema(message.$typeName), message);
}

/** Decodes a message from protobuf's binary form; throws on malformed bytes. */
export function decodeMessage<Shape extends Message>(typeName: Shape['$typeName'], bytes: Uint8Array): Shape {
  return fromBinary(messageSchema<Shape>(typeName), bytes) as Shape;
}

/** The message name in a type URL: what follows the last slash. */
export function typeNameOf(any: Pick<Any, 'typeUrl'>): string {
  return any.typeUrl.slice(any.typeUrl.lastIndexOf('/') + 1);
}

/** The type URL of a message name. */
export function typeUrlOf(typeName: string): string {
  return TYPE_URL_PREFIX + typeName;
}

const unpacked = new WeakMap<Any, Message>();

/**
 * The message in an `Any`, decoded once for each `Any` object: the answer is shared and must not be changed.
 * Throws when the type is unknown or the bytes are malformed. A caller that names `Shape` has looked at the
 * type URL; {@link unpackAnyAs} looks for it.
 */
export function unpackAny<Shape extends Message = Message>(any: Any): Shape {
  let message = unpacked.get(any);
  if (message === undefined) {
    message = decodeMessage<Message>(typeNameOf(any), any.value);
    unpacked.set(any, message);
  }
  return message as Shape;
}

/** The message in an `Any` when it is of this type, else null. */
export function unpackAnyAs<Shape extends Message>(any: Any | undefined, typeName: Shape['$typeName']): Shape | null {
  return any !== undefined && typeNameOf(any) === typeName ? unpackAny<Shape>(any) : null;
}

/** Wraps a message in an `Any`. */
export function packAny(message: Message): Any {
  const any = create(AnySchema, { typeUrl: typeUrlOf(message.$typeName), value: encodeMessage(message) });
  unpacked.set(any, message);
  return any;
}
