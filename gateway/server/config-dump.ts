import type { Message } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { createMessage, packAny } from '#gateway/proto/registry.ts';
import type { BootstrapConfigDump, SecretsConfigDump } from '#proto-types/envoy/admin/v3/config_dump_pb.ts';
import type { Bootstrap, Bootstrap_StaticResources } from '#proto-types/envoy/config/bootstrap/v3/bootstrap_pb.ts';
import type { Node } from '#proto-types/envoy/config/core/v3/base_pb.ts';

/** The bootstrap's part of /config_dump, with the node that the command line and the gateway complete. */
export function bootstrapDump(bootstrap: Bootstrap, node: Node, loadedMs: number): Message {
  return createMessage<BootstrapConfigDump>('envoy.admin.v3.BootstrapConfigDump', {
    bootstrap: { ...bootstrap, node },
    lastUpdated: timestampFromMs(loadedMs),
  } as object);
}

/** The part of the bootstrap's own secrets; what is secret in them is redacted where they are shown. */
export function secretsDump(resources: Bootstrap_StaticResources | undefined, loadedMs: number): Message {
  const lastUpdated = timestampFromMs(loadedMs);
  return createMessage<SecretsConfigDump>('envoy.admin.v3.SecretsConfigDump', {
    staticSecrets: (resources?.secrets ?? []).map((secret) => ({
      name: secret.name,
      lastUpdated,
      secret: packAny(secret),
    })),
  } as object);
}
