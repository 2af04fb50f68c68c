import type { Message } from '@bufbuild/protobuf';
import { nearestName } from '#gateway/base/nearest-name.ts';
import { typeUrlOf } from '#gateway/proto/registry.ts';
import type { AccessLog } from '#proto-types/envoy/config/accesslog/v3/accesslog_pb.ts';
import type { DataSource, TransportSocket } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import type { PathConfigSource } from '#proto-types/envoy/config/core/v3/config_source_pb.ts';
import type { Filter, ListenerFilter } from '#proto-types/envoy/config/listener/v3/listener_components_pb.ts';
import type {
  JwtAuthentication,
  JwtRequirement,
} from '#proto-types/envoy/extensions/filters/http/jwt_authn/v3/config_pb.ts';
import type { HttpFilter } from '#proto-types/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import type { TlsParameters } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/common_pb.ts';
import type { SdsSecretConfig } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import type { Diagnostics } from '../diagnostics.ts';
import { extensionTypeOf } from './extension-names.ts';
import { checkOf, type SemanticCheck, type SemanticChecks, type SemanticContext } from './semantic-context.ts';

/** The curves and groups that BoringSSL knows, by all their names. */
const CURVES: readonly string[] = [
  'P-224',
  'P-256',
  'P-384',
  'P-521',
  'X25519',
  'X25519MLKEM768',
  'X25519Kyber768Draft00',
  'MLKEM1024',
  'prime256v1',
  'secp224r1',
  'secp384r1',
  'secp521r1',
  'x25519',
];

type Extension = Filter | ListenerFilter | HttpFilter | AccessLog | TransportSocket;

/** Checks of what the configuration refers to: files, secrets, extensions, providers. */
export const sourceChecks: SemanticChecks = {
  'envoy.config.core.v3.DataSource': checkOf(checkDataSource),
  'envoy.config.core.v3.PathConfigSource': checkOf(checkPathSource),
  'envoy.extensions.transport_sockets.tls.v3.TlsParameters': checkOf(checkCurves),
  'envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication': checkOf(checkJwtProviders),
  'envoy.config.listener.v3.Filter': extensionCheck(),
  'envoy.config.listener.v3.ListenerFilter': extensionCheck(),
  'envoy.config.accesslog.v3.AccessLog': extensionCheck(),
  'envoy.config.core.v3.TransportSocket': extensionCheck(),
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter': extensionCheck(),
  'envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig': checkOf(checkSecretName),
};

function checkDataSource(source: DataSource, found: Diagnostics, context: SemanticContext): void {
  if (source.specifier.case !== 'filename') return;
  const name = source.specifier.value;
  if (name !== '' && !context.fileExists(name)) found.error('filename', `the file ${name} does not exist`);
}

function checkPathSource(source: PathConfigSource, found: Diagnostics, context: SemanticContext): void {
  if (source.path !== '' && !context.fileExists(source.path)) {
    found.error('path', `the file ${source.path} does not exist`);
  }
}

function checkCurves(params: TlsParameters, found: Diagnostics): void {
  for (const [i, curve] of params.ecdhCurves.entries()) {
    if (CURVES.includes(curve)) continue;
    found.error(`ecdh_curves[${i}]`, `"${curve}" is not a curve`, nearestName(curve, CURVES));
  }
}

function checkSecretName(secret: SdsSecretConfig, found: Diagnostics, context: SemanticContext): void {
  if (secret.sdsConfig !== undefined || context.secrets.has(secret.name)) return;
  const meant = nearestName(secret.name, context.secrets);
  found.error('name', `there is no static secret "${secret.name}", and no sds_config to get it from`, meant);
}

/** The configuration of an extension carries its type; without it nothing says what the extension is. */
function extensionCheck(): SemanticCheck<Message> {
  return checkOf((extension: Extension, found: Diagnostics) => {
    if (extension.configType.case === 'configDiscovery' || isDisabledFilter(extension)) return;
    const config = extension.configType.case === 'typedConfig' ? extension.configType.value : undefined;
    if (config !== undefined && config.typeUrl !== '') return;
    const type = extensionTypeOf(extension.name);
    const meant = type === null ? null : `"@type": ${typeUrlOf(type)}`;
    found.error('typed_config', `"${extension.name}" needs a typed_config with its "@type"`, meant);
  });
}

function isDisabledFilter(extension: Extension): boolean {
  return 'isOptional' in extension && extension.isOptional;
}

function checkJwtProviders(filter: JwtAuthentication, found: Diagnostics): void {
  const known = Object.keys(filter.providers);
  for (const [i, rule] of filter.rules.entries()) {
    const requires = rule.requirementType;
    const at = found.at(`rules[${i}]`);
    if (requires.case === 'requires') checkRequirement(requires.value, known, at.at('requires'));
    if (requires.case === 'requirementName' && filter.requirementMap[requires.value] === undefined) {
      const meant = nearestName(requires.value, Object.keys(filter.requirementMap));
      at.error('requirement_name', `there is no requirement "${requires.value}" in requirement_map`, meant);
    }
  }
  for (const [name, requirement] of Object.entries(filter.requirementMap)) {
    checkRequirement(requirement, known, found.at(`requirement_map["${name}"]`));
  }
}

function checkRequirement(requirement: JwtRequirement, known: readonly string[], found: Diagnostics): void {
  const kind = requirement.requiresType;
  const check = (path: string, name: string): void => {
    if (!known.includes(name)) found.error(path, `there is no provider "${name}"`, nearestName(name, known));
  };
  if (kind.case === 'providerName') check('provider_name', kind.value);
  if (kind.case === 'providerAndAudiences') check('provider_and_audiences.provider_name', kind.value.providerName);
  if (kind.case === 'requiresAny' || kind.case === 'requiresAll') {
    const field = kind.case === 'requiresAny' ? 'requires_any' : 'requires_all';
    for (const [i, one] of kind.value.requirements.entries()) {
      checkRequirement(one, known, found.at(`${field}.requirements[${i}]`));
    }
  }
}
