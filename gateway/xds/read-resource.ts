import type { DescMessage, Message } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import { Diagnostics, describeProblem } from '#gateway/config/diagnostics.ts';
import { checkMessage } from '#gateway/config/load/check-message.ts';
import { messageSchema, typeNameOf, typeUrlOf, unpackAny } from '#gateway/proto/registry.ts';
import type { Resource } from '#proto-types/envoy/service/discovery/v3/discovery_pb.ts';

/** Full name of the wrapper that gives a resource of a state-of-the-world response a name or a time to live. */
const wrapperType = 'envoy.service.discovery.v3.Resource';

/** A resource read from a response, or why it cannot be: {@link read} says which. */
export type ReadResource =
  | { readonly read: true; readonly message: Message | null; readonly name: string }
  | { readonly read: false; readonly problem: string };

/**
 * Unpacks and checks one resource. A wrapper is looked into: `name` is what it calls its content ('' without a wrapper), and
 * `message` is null when it holds none, which only says that what is known still stands (a heartbeat).
 */
export function readResource(any: Any | undefined, typeName: string): ReadResource {
  if (any === undefined) return { read: true, message: null, name: '' };
  try {
    const found = typeNameOf(any);
    if (found === wrapperType) {
      const { name, resource } = unpackAny<Resource>(any);
      const inner = readResource(resource, typeName);
      return inner.read ? { read: true, message: inner.message, name } : inner;
    }
    if (found !== typeName) {
      const problem = `type URL ${any.typeUrl} embedded in an individual Any does not match the message-wide type URL ${typeUrlOf(typeName)} in DiscoveryResponse`;
      return { read: false, problem };
    }
    return { read: true, message: unpackAny(any), name: '' };
  } catch {
    return { read: false, problem: 'the resource is malformed' };
  }
}

/** What Envoy's validation rules and the list of supported fields say against a message; '' when nothing. */
export function resourceProblem(message: Message): string {
  const found = new Diagnostics();
  checkMessage(messageSchema(message.$typeName) as unknown as DescMessage, message, '', found);
  return found.errors.map(({ path, problem }) => describeProblem(path, problem, null)).join('; ');
}
