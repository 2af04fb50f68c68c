import { protoRegistry } from '#gateway/proto/registry.ts';
import { GrpcStatus } from '#gateway/protocol/grpc/status.ts';
import type { GrpcHandler, GrpcMethod, GrpcSink } from './grpc-method.ts';
import { ReflectionFiles } from './grpc-reflection-files.ts';
import {
  type ReflectionAnswer,
  ReflectionCodec,
  type ReflectionRequest,
  reflectionFile,
  reflectionService,
  reflectionVersions,
} from './grpc-reflection-proto.ts';

/** Files of the services that this server has. */
const serviceFiles: readonly string[] = [
  'envoy/service/ratelimit/v3/rls.proto',
  'envoy/service/rate_limit_quota/v3/rlqs.proto',
  'grpc/health/v1/health.proto',
];

/** A question is a name or two. */
const maxQuestionOctets = 65_536;

/** All files of the server together are some 100 KB. */
const maxBufferedOctets = 4 * 1024 * 1024;

/** What all reflection calls share. It is made when somebody asks: few ever do. */
class Reflection {
  readonly codec: ReflectionCodec = new ReflectionCodec();
  readonly files: ReflectionFiles;

  constructor() {
    const own = new Map(reflectionVersions.map((version) => [reflectionFile(version).name, reflectionFile(version)]));
    const registry = protoRegistry();
    this.files = new ReflectionFiles(
      [...serviceFiles, ...own.keys()],
      (name) => own.get(name) ?? registry.fileProto(name),
    );
  }
}

/** grpc.reflection.v1 and v1alpha: which services there are and the proto files of them, for tools such as grpcurl. */
export function reflectionMethods(): GrpcMethod[] {
  let shared: Reflection | null = null;
  const open = (sink: GrpcSink): GrpcHandler => {
    shared ??= new Reflection();
    return new ReflectionCall(sink, shared);
  };
  return reflectionVersions.map((version) => ({
    path: `/${reflectionService(version)}/ServerReflectionInfo`,
    name: 'ServerReflectionInfo',
    maxMessageOctets: maxQuestionOctets,
    maxBufferedOctets,
    open,
  }));
}

/** One stream of questions, each answered at once. */
class ReflectionCall implements GrpcHandler {
  readonly #sink: GrpcSink;
  readonly #shared: Reflection;
  /** Files that this client has. */
  readonly #sent = new Set<string>();

  constructor(sink: GrpcSink, shared: Reflection) {
    this.#sink = sink;
    this.#shared = shared;
  }

  onMessage(message: Uint8Array): void {
    const request = this.#shared.codec.read(message);
    if (request === null) this.#sink.finish(GrpcStatus.Internal, 'malformed ServerReflectionRequest');
    else if (request.messageRequest.case === undefined) {
      this.#sink.finish(GrpcStatus.InvalidArgument, 'the request asks nothing that is known');
    } else this.#sink.send(this.#shared.codec.write(request, this.#answer(request)));
  }

  onEnd(): void {
    this.#sink.finish(GrpcStatus.Ok, '');
  }

  onReset(): void {}

  onStop(): void {}

  #answer({ messageRequest: asked }: ReflectionRequest): ReflectionAnswer {
    const { files } = this.#shared;
    switch (asked.case) {
      case 'fileByFilename':
        return this.#file(asked.value, asked.value);
      case 'fileContainingSymbol':
        return this.#file(files.fileOf(asked.value), asked.value);
      case 'fileContainingExtension': {
        const { containingType, extensionNumber } = asked.value;
        return this.#file(files.fileOfExtension(containingType, extensionNumber), containingType);
      }
      case 'allExtensionNumbersOfType': {
        const numbers = files.extensionNumbers(asked.value);
        if (numbers === null) return notFound(asked.value);
        return {
          case: 'allExtensionNumbersResponse',
          value: { baseTypeName: asked.value, extensionNumber: numbers },
        };
      }
      default: {
        const service = files.services.map((name) => ({ name })).sort((a, b) => (a.name < b.name ? -1 : 1));
        return { case: 'listServicesResponse', value: { service } };
      }
    }
  }

  #file(name: string | null, asked: string): ReflectionAnswer {
    const encoded = name === null ? null : this.#shared.files.withImports(name, this.#sent);
    if (encoded === null) return notFound(asked);
    return { case: 'fileDescriptorResponse', value: { fileDescriptorProto: encoded } };
  }
}

function notFound(what: string): ReflectionAnswer {
  return { case: 'errorResponse', value: { errorCode: GrpcStatus.NotFound, errorMessage: `there is no ${what}` } };
}
