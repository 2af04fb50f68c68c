import type { Message } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { createMessage, packAny } from '#gateway/proto/registry.ts';
import type { SdsSecret } from '#gateway/transport/secrets/sds-secret.ts';
import type { BootstrapConfigDump, SecretsConfigDump } from '#proto-types/envoy/admin/v3/config_dump_pb.ts';
import type { Bootstrap, Bootstrap_StaticResources } from '#proto-types/envoy/config/bootstrap/v3/bootstrap_pb.ts';
import type { Node } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import type { Secret } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';

/** The bootstrap's part of /config_dump, with the node that the command line and the gateway complete. */
export function bootstrapDump(bootstrap: Bootstrap, node: Node, loadedMs: number): Message {
  return createMessage<BootstrapConfigDump>('envoy.admin.v3.BootstrapConfigDump', {
    bootstrap: { ...bootstrap, node },
    lastUpdated: timestampFromMs(loadedMs),
  } as object);
}

/**
 * The bootstrap's own secrets and those that come from outside, awaited ones too; what is secret in them is redacted where they
 * are shown. A refused update is told in `error_state`.
 */
export function secretsDump(
  resources: Bootstrap_StaticResources | undefined,
  loadedMs: number,
  dynamic: readonly SdsSecret<unknown>[],
): Message {
  const lastUpdated = timestampFromMs(loadedMs);
  return createMessage<SecretsConfigDump>('envoy.admin.v3.SecretsConfigDump', {
    staticSecrets: (resources?.secrets ?? []).map((secret) => ({
      name: secret.name,
      lastUpdated,
      secret: packAny(secret),
    })),
    dynamicActiveSecrets: dynamic.filter(({ message }) => message !== null).map((one) => dynamicSecret(one, loadedMs)),
    dynamicWarmingSecrets: dynamic.filter(({ message }) => message === null).map((one) => dynamicSecret(one, loadedMs)),
  } as object);
}

function dynamicSecret(secret: SdsSecret<unknown>, loadedMs: number): object {
  const { name, message, versionInfo, updatedMs, problem, problemMs } = secret;
  const shown = message ?? createMessage<Secret>('envoy.extensions.transport_sockets.tls.v3.Secret', { name });
  const errorState = {
    lastUpdateAttempt: timestampFromMs(problemMs),
    details: problem,
  };
  return {
    name,
    versionInfo: versionInfo ?? 'uninitialized',
    lastUpdated: timestampFromMs(updatedMs === 0 ? loadedMs : updatedMs),
    secret: packAny(shown),
    ...(problem === '' ? {} : { errorState }),
  };
}
