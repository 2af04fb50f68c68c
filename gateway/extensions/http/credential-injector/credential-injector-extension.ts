import type { Message } from '@bufbuild/protobuf';
import type { ExtensionContext } from '#gateway/api/context.ts';
import type { HttpFilterExtension } from '#gateway/api/extension.ts';
import type { FilterChainBuilder, HttpFilterFactory } from '#gateway/api/http-filter.ts';
import { ConfigError } from '#gateway/config/diagnostics.ts';
import { typeNameOf, unpackAny } from '#gateway/proto/registry.ts';
import { atPath } from '#gateway/route/compile-context.ts';
import type { CredentialInjector } from '#proto-types/envoy/extensions/filters/http/credential_injector/v3/credential_injector_pb.ts';
import type { Generic } from '#proto-types/envoy/extensions/http/injected_credentials/generic/v3/generic_pb.ts';
import { type CredentialInjectorConfig, CredentialInjectorFilter } from './credential-injector-filter.ts';
import { createGenericCredential, type GenericCredential } from './generic-credential.ts';

const genericType = 'envoy.extensions.http.injected_credentials.generic.v3.Generic';

/** envoy.filters.http.credential_injector: the gateway's own credential for upstreams. */
export const credentialInjectorExtension: HttpFilterExtension = {
  name: 'envoy.filters.http.credential_injector',
  configType: 'envoy.extensions.filters.http.credential_injector.v3.CredentialInjector',
  routeConfigType: null,
  createFactory(message: Message, context: ExtensionContext): HttpFilterFactory {
    const injector = message as CredentialInjector;
    const credential = createCredential(injector, context);
    const scope = context.scope.scope('credential_injector');
    const config: CredentialInjectorConfig = {
      credential,
      overwrite: injector.overwrite,
      allowMissing: injector.allowRequestWithoutCredential,
      injected: scope.counter('injected'),
      failed: scope.counter('failed'),
      alreadyExists: scope.counter('already_exists'),
    };
    return {
      terminal: false,
      secrets: [credential.source],
      createFilter(chain: FilterChainBuilder): void {
        chain.addDecoderFilter(new CredentialInjectorFilter(config));
      },
      close: () => credential.close(),
    };
  },
  createRouteConfig(): unknown {
    return null;
  },
};

function createCredential({ credential }: CredentialInjector, context: ExtensionContext): GenericCredential {
  const any = credential?.typedConfig;
  const path = 'credential.typed_config';
  if (any === undefined) throw new ConfigError(path, 'is required');
  const type = typeNameOf(any);
  if (type !== genericType) throw new ConfigError(path, `the credential ${type} is not supported yet`);
  const inner = { ...context, diagnostics: context.diagnostics.at(path) };
  return atPath(path, () => createGenericCredential(unpackAny<Generic>(any), inner));
}
