import { create, createFileRegistry, type DescMessage, fromBinary, type Message, toBinary } from '@bufbuild/protobuf';
import {
  type DescriptorProto,
  DescriptorProtoSchema,
  type FieldDescriptorProto,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldDescriptorProtoSchema,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt';

/** Versions of the reflection service: v1alpha is the same under an older name, which many tools still ask first. */
export const reflectionVersions = ['v1', 'v1alpha'] as const;
/** @see reflectionVersions */
export type ReflectionVersion = (typeof reflectionVersions)[number];

/** What a client asks. */
export interface ReflectionRequest extends Message {
  host: string;
  messageRequest:
    | { case: 'fileByFilename' | 'fileContainingSymbol' | 'allExtensionNumbersOfType' | 'listServices'; value: string }
    | { case: 'fileContainingExtension'; value: { containingType: string; extensionNumber: number } }
    | { case: undefined; value?: undefined };
}

/** What is said in return. */
export type ReflectionAnswer =
  | { case: 'fileDescriptorResponse'; value: { fileDescriptorProto: Uint8Array[] } }
  | { case: 'allExtensionNumbersResponse'; value: { baseTypeName: string; extensionNumber: number[] } }
  | { case: 'listServicesResponse'; value: { service: { name: string }[] } }
  | { case: 'errorResponse'; value: { errorCode: number; errorMessage: string } };

type FieldKind = 'string' | 'bytes' | 'int32' | (string & {});

/** `name number kind`, repeated with `[]`, in a oneof with `|`. */
type FieldText = `${string} ${number} ${FieldKind}`;

const messages: Readonly<Record<string, { readonly oneof: string; readonly fields: readonly FieldText[] }>> = {
  ServerReflectionRequest: {
    oneof: 'message_request',
    fields: [
      'host 1 string',
      'file_by_filename 3 |string',
      'file_containing_symbol 4 |string',
      'file_containing_extension 5 |ExtensionRequest',
      'all_extension_numbers_of_type 6 |string',
      'list_services 7 |string',
    ],
  },
  ExtensionRequest: { oneof: '', fields: ['containing_type 1 string', 'extension_number 2 int32'] },
  ServerReflectionResponse: {
    oneof: 'message_response',
    fields: [
      'valid_host 1 string',
      'original_request 2 ServerReflectionRequest',
      'file_descriptor_response 4 |FileDescriptorResponse',
      'all_extension_numbers_response 5 |ExtensionNumberResponse',
      'list_services_response 6 |ListServiceResponse',
      'error_response 7 |ErrorResponse',
    ],
  },
  FileDescriptorResponse: { oneof: '', fields: ['file_descriptor_proto 1 []bytes'] },
  ExtensionNumberResponse: { oneof: '', fields: ['base_type_name 1 string', 'extension_number 2 []int32'] },
  ListServiceResponse: { oneof: '', fields: ['service 1 []ServiceResponse'] },
  ServiceResponse: { oneof: '', fields: ['name 1 string'] },
  ErrorResponse: { oneof: '', fields: ['error_code 1 int32', 'error_message 2 string'] },
};

const scalars: Readonly<Record<string, FieldDescriptorProto_Type>> = {
  string: FieldDescriptorProto_Type.STRING,
  bytes: FieldDescriptorProto_Type.BYTES,
  int32: FieldDescriptorProto_Type.INT32,
};

/** The name of the service. */
export function reflectionService(version: ReflectionVersion): string {
  return `grpc.reflection.${version}.ServerReflection`;
}

/** grpc/reflection/VERSION/reflection.proto of the gRPC project, which the descriptor set does not have. */
export function reflectionFile(version: ReflectionVersion): FileDescriptorProto {
  const scope = `.grpc.reflection.${version}`;
  return create(FileDescriptorProtoSchema, {
    name: `grpc/reflection/${version}/reflection.proto`,
    package: `grpc.reflection.${version}`,
    syntax: 'proto3',
    messageType: Object.entries(messages).map(([name, { oneof, fields }]) => messageProto(scope, name, oneof, fields)),
    service: [
      {
        name: 'ServerReflection',
        method: [
          {
            name: 'ServerReflectionInfo',
            inputType: `${scope}.ServerReflectionRequest`,
            outputType: `${scope}.ServerReflectionResponse`,
            clientStreaming: true,
            serverStreaming: true,
          },
        ],
      },
    ],
  });
}

function messageProto(scope: string, name: string, oneof: string, fields: readonly FieldText[]): DescriptorProto {
  return create(DescriptorProtoSchema, {
    name,
    field: fields.map((text) => fieldProto(scope, text)),
    oneofDecl: oneof === '' ? [] : [{ name: oneof }],
  });
}

function fieldProto(scope: string, text: FieldText): FieldDescriptorProto {
  const [name = '', number = '', written = ''] = text.split(' ');
  const kind = written.replace(/^(?:\[\]|\|)/, '');
  const scalar = scalars[kind];
  return create(FieldDescriptorProtoSchema, {
    name,
    number: Number(number),
    label: written.startsWith('[]') ? FieldDescriptorProto_Label.REPEATED : FieldDescriptorProto_Label.OPTIONAL,
    jsonName: name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
    ...(written.startsWith('|') ? { oneofIndex: 0 } : {}),
    ...(scalar === undefined
      ? { type: FieldDescriptorProto_Type.MESSAGE, typeName: `${scope}.${kind}` }
      : { type: scalar }),
  });
}

/** Reads and writes the messages; both versions have the same octets. */
export class ReflectionCodec {
  readonly #request: DescMessage;
  readonly #response: DescMessage;

  constructor() {
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [reflectionFile('v1')] }));
    this.#request = registry.getMessage('grpc.reflection.v1.ServerReflectionRequest')!;
    this.#response = registry.getMessage('grpc.reflection.v1.ServerReflectionResponse')!;
  }

  /** Null when it is malformed. */
  read(message: Uint8Array): ReflectionRequest | null {
    try {
      return fromBinary(this.#request, message) as ReflectionRequest;
    } catch {
      return null;
    }
  }

  write(request: ReflectionRequest, answer: ReflectionAnswer): Uint8Array {
    const response = { validHost: request.host, originalRequest: request, messageResponse: answer };
    return toBinary(this.#response, create(this.#response, response as Record<string, unknown>));
  }
}
