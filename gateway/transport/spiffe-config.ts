import type { ServerContext } from '#gateway/api/context.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { typeNameOf, unpackAny } from '#gateway/proto/registry.ts';
import type { TypedExtensionConfig } from '#proto-types/envoy/config/core/v3/extension_pb.ts';
import type { CertificateValidationContext } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/common_pb.ts';
import type { SPIFFECertValidatorConfig } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb.ts';
import { parseCertificates } from './validator/certificate.ts';
import { parseCrls } from './validator/crl.ts';
import { readTrustBundles, type TrustBundle } from './validator/trust-bundles.ts';

const spiffeType = 'envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig';
const decoder = new TextDecoder();

/** Fields of a validation context that the SPIFFE validator does not look at. */
const unread = ['trustedCa', 'crl', 'verifyCertificateHash', 'verifyCertificateSpki', 'maxVerifyDepth'] as const;
const spelling: Readonly<Record<(typeof unread)[number], string>> = {
  trustedCa: 'trusted_ca',
  crl: 'crl',
  verifyCertificateHash: 'verify_certificate_hash',
  verifyCertificateSpki: 'verify_certificate_spki',
  maxVerifyDepth: 'max_verify_depth',
};

/** Reads the trust domains of a SPIFFE validator. Problems go to `diagnostics`; null means there were some. */
export function readTrustDomains(
  config: TypedExtensionConfig,
  server: Pick<ServerContext, 'readDataSource'>,
  diagnostics: Diagnostics,
): TrustBundle[] | null {
  const any = config.typedConfig;
  const at = diagnostics.at('typed_config');
  if (any === undefined || typeNameOf(any) !== spiffeType) {
    at.error(
      '',
      `${any === undefined ? 'nothing' : typeNameOf(any)} is not a certificate validator that is supported yet`,
    );
    return null;
  }
  const message = unpackAny<SPIFFECertValidatorConfig>(any);
  const read = (source: typeof message.trustBundles, field: string): string | null => {
    if (source === undefined) {
      at.error(field, 'is required');
      return null;
    }
    const bytes = server.readDataSource(source, at.at(field));
    return bytes === null ? null : decoder.decode(bytes);
  };
  let bundles: TrustBundle[] = [];
  if (message.trustBundles !== undefined) {
    const json = read(message.trustBundles, 'trust_bundles');
    if (message.trustBundles.specifier.case === 'filename') {
      at.warning('trust_bundles', 'is read with the configuration, and not again when the file changes as in Envoy');
    }
    if (json !== null) bundles = at.at('trust_bundles').try(() => readTrustBundles(json)) ?? [];
  } else {
    message.trustDomains.forEach((domain, i) => {
      const pem = read(domain.trustBundle, `trust_domains[${i}].trust_bundle`);
      if (bundles.some((bundle) => bundle.name === domain.name)) {
        at.error(
          `trust_domains[${i}].name`,
          `Multiple trust bundles are given for one trust domain for ${domain.name}`,
        );
      }
      if (pem !== null) bundles.push({ name: domain.name, pem });
    });
  }
  for (const { name, pem } of bundles)
    if (!isBundle(pem)) at.error('', `Failed to load trusted CA certificate for ${name}`);
  return at.failed ? null : bundles;
}

/** Notes what the SPIFFE validator leaves aside. */
export function checkSpiffe(context: CertificateValidationContext, diagnostics: Diagnostics): void {
  for (const field of unread) {
    const value = context[field];
    if (value === undefined || (Array.isArray(value) && value.length === 0)) continue;
    diagnostics.warning(spelling[field], 'has no effect beside the SPIFFE validator, as in Envoy');
  }
  context.matchTypedSubjectAltNames.forEach((entry, i) => {
    if (entry.sanType === 3) return;
    const path = `match_typed_subject_alt_names[${i}].san_type`;
    diagnostics.warning(path, 'the SPIFFE validator looks at URI matchers only, as in Envoy');
  });
}

function isBundle(pem: string): boolean {
  try {
    return parseCertificates(pem).length + parseCrls(pem).length > 0;
  } catch {
    return false;
  }
}
