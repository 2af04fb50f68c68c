import { getOption, hasOption } from '@bufbuild/protobuf';
import type { GenExtension } from '@bufbuild/protobuf/codegenv2';
import type { MessageOptions } from '@bufbuild/protobuf/wkt';
import type { ProtoRegistry } from '#gateway/proto/registry.ts';
import type { VersioningAnnotation } from '#proto-types/udpa/annotations/versioning_pb.ts';

let successors: Map<string, string> | null = null;

/**
 * Today's name of a message of the v2 API; null when it has none. The answer is in the descriptors: each v3
 * message names the v2 message it came from. The first question reads them all.
 */
export function successorOf(registry: ProtoRegistry, typeName: string): string | null {
  successors ??= readSuccessors(registry);
  return successors.get(typeName) ?? null;
}

/** Whether a type name is of the v2 API. */
export function isV2Name(typeName: string): boolean {
  return typeName.startsWith('envoy.') && /\.v[12](?:alpha\d*)?\./.test(typeName);
}

function readSuccessors(registry: ProtoRegistry): Map<string, string> {
  const found = new Map<string, string>();
  const extension = registry.getExtension('udpa.annotations.versioning') as
    | GenExtension<MessageOptions, VersioningAnnotation>
    | undefined;
  if (extension === undefined) return found;
  for (const type of registry) {
    if (type.kind !== 'message' || !hasOption(type, extension)) continue;
    const previous = getOption(type, extension).previousMessageType;
    if (isV2Name(previous) && !isV2Name(type.typeName)) found.set(previous, type.typeName);
  }
  return found;
}
