import type { ServerContext } from '#gateway/api/context.ts';
import type { SecretSource, TlsCertificateSecret, ValidationSecret } from '#gateway/api/secrets.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { TlsSettings } from '#gateway/runtime/tls-sockets.ts';
import type { CertificateValidationContext } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/common_pb.ts';
import type { CommonTlsContext } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts';
import { readTlsCertificate } from './secrets/read-secret.ts';
import { StaticSecret } from './secrets/static-secret.ts';
import { defaultTlsSettings, readTlsSettings } from './tls-parameters.ts';
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
}

/** What is read from an absent common_tls_context. */
const emptyCommonTls: CommonTls = {
  certificates: [],
  validation: null,
  dynamicValidation: null,
  alpn: [],
  settings: defaultTlsSettings,
};

/** Reads a CommonTlsContext; paths given to `diagnostics` are relative to it. */
export function readCommonTls(
  common: CommonTlsContext | undefined,
  server: Pick<ServerContext, 'readDataSource' | 'secrets'>,
  diagnostics: Diagnostics,
): CommonTls {
  if (common === undefined) return emptyCommonTls;
  const certificates: SecretSource<TlsCertificateSecret>[] = [];
  common.tlsCertificates.forEach((message, i) => {
    const secret = readTlsCertificate(message, server, diagnostics.at(`tls_certificates[${i}]`));
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
  return {
    certificates,
    validation,
    dynamicValidation,
    alpn: common.alpnProtocols,
    settings: readTlsSettings(common.tlsParams, diagnostics.at('tls_params')),
  };
}
