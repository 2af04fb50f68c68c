import type { ServerContext } from '#gateway/api/context.ts';
import type { SecretSource, TlsCertificateSecret, ValidationSecret } from '#gateway/api/secrets.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { TlsSettings } from '#gateway/runtime/tls-sockets.ts';
import type { CertificateValidationContext } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/common_pb.ts';
import type { CommonTlsContext } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts';
import { type KeyLog, readKeyLog } from './key-log.ts';
import { readTlsCertificate } from './secrets/read-secret.ts';
import { StaticSecret } from './secrets/static-secret.ts';
import { defaultTlsSettings, need, readTlsSettings } from './tls-parameters.ts';
import { checkValidationContext, readValidationSecret } from './validation-context.ts';

/** What downstream and upstream TLS contexts have in common, read once. */
export interface CommonTls {
  readonly certificates: readonly SecretSource<TlsCertificateSecret>[];
  /** Rules of the configuration itself, or null. */
  readonly validation: ValidationSecret | null;
  /** Rules that come by SDS and are joined with `validation`, or null. */
  readonly dynamicValidation: SecretSource<ValidationSecret> | null;
  readonly alpn: readonly string[];
  readonly settings: TlsSettings;
  /** Where the secrets of connections are written, or null. */
  readonly keyLog: KeyLog | null;
}

/** Octets of one ALPN protocol, and of the whole list as it is sent. RFC 7301 section 3.1. */
const maxProtocolOctets = 255;
const maxProtocolListOctets = 65_535;

/** Reads a CommonTlsContext for our side of TLS; paths given to `diagnostics` are relative to it. */
export function readCommonTls(
  common: CommonTlsContext | undefined,
  side: 'server' | 'client',
  server: Pick<ServerContext, 'readDataSource' | 'secrets' | 'logFiles'>,
  diagnostics: Diagnostics,
): CommonTls {
  if (common === undefined) {
    return {
      certificates: [],
      validation: null,
      dynamicValidation: null,
      alpn: [],
      settings: defaultTlsSettings(side),
      keyLog: null,
    };
  }
  const certificates: SecretSource<TlsCertificateSecret>[] = [];
  common.tlsCertificates.forEach((message, i) => {
    const at = diagnostics.at(`tls_certificates[${i}]`);
    if (message.watchedDirectory !== undefined) {
      at.warning('watched_directory', 'has no effect here, as in Envoy: only secrets that come by SDS are read again');
    }
    const secret = readTlsCertificate(message, server, at);
    // Envoy's name for what has none in its statistics.
    certificates.push(new StaticSecret('unnamed_cert_e3b0c442', secret));
  });
  common.tlsCertificateSdsSecretConfigs.forEach((config, i) => {
    const at = diagnostics.at(`tls_certificate_sds_secret_configs[${i}]`);
    certificates.push(server.secrets.tlsCertificate(config, at));
  });

  let validation: ValidationSecret | null = null;
  let dynamicValidation: SecretSource<ValidationSecret> | null = null;
  const readStatic = (context: CertificateValidationContext, at: Diagnostics, caMayCome: boolean): void => {
    validation = readValidationSecret(context, server, at);
    checkValidationContext(context, caMayCome || context.trustedCa !== undefined, at);
  };
  const type = common.validationContextType;
  switch (type.case) {
    case 'validationContext':
      readStatic(type.value, diagnostics.at('validation_context'), false);
      break;
    case 'validationContextSdsSecretConfig':
      dynamicValidation = server.secrets.validationContext(
        type.value,
        diagnostics.at('validation_context_sds_secret_config'),
      );
      break;
    case 'combinedValidationContext': {
      const at = diagnostics.at('combined_validation_context');
      const { defaultValidationContext, validationContextSdsSecretConfig } = type.value;
      if (defaultValidationContext !== undefined) {
        readStatic(defaultValidationContext, at.at('default_validation_context'), true);
      }
      if (validationContextSdsSecretConfig !== undefined) {
        const sds = at.at('validation_context_sds_secret_config');
        dynamicValidation = server.secrets.validationContext(validationContextSdsSecretConfig, sds);
      }
      break;
    }
    default: // none, or one that the support registry has refused
  }
  const logsKeys = common.keyLog !== undefined && need('keyLog', 'key_log', diagnostics);
  return {
    certificates,
    validation,
    dynamicValidation,
    alpn: readProtocols(common.alpnProtocols, diagnostics),
    settings: readTlsSettings(common.tlsParams, side, diagnostics.at('tls_params')),
    keyLog: logsKeys ? readKeyLog(common.keyLog!, server, diagnostics.at('key_log')) : null,
  };
}

// An entry may hold several protocols joined by commas; empty ones are left out, as Envoy does both.
function readProtocols(entries: readonly string[], diagnostics: Diagnostics): string[] {
  const protocols = entries.flatMap((entry) => entry.split(',')).filter((protocol) => protocol !== '');
  const octets = protocols.reduce((sum, protocol) => sum + 1 + protocol.length, 0);
  if (octets > maxProtocolListOctets || protocols.some((protocol) => protocol.length > maxProtocolOctets)) {
    diagnostics.error('alpn_protocols', 'Invalid ALPN protocol string: a protocol is longer than 255 octets');
  }
  return protocols;
}
