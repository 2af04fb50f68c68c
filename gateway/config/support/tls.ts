import { type SupportArea, supportArea } from './support-area.ts';

/** TLS contexts, certificates, secrets and the raw transport socket. */
export const tls: SupportArea = supportArea({
  'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer': { implemented: 'all' },
  'envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext': {
    implemented: [
      'common_tls_context',
      'require_client_certificate',
      'require_sni',
      'full_scan_certs_on_sni_mismatch',
      'session_ticket_keys',
      'session_ticket_keys_sds_secret_config',
      'disable_stateless_session_resumption',
      'session_timeout',
      'ocsp_staple_policy',
      'prefer_client_ciphers',
    ],
    noEffect: {
      disable_stateful_session_resumption: 'sessions are resumed by tickets alone: no runtime keeps them at the server',
    },
  },
  'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext': {
    implemented: ['common_tls_context', 'sni', 'auto_host_sni', 'auto_sni_san_validation', 'max_session_keys'],
    noEffect: {
      enforce_rsa_key_usage: 'key usage is always enforced',
    },
  },
  'envoy.extensions.transport_sockets.tls.v3.CommonTlsContext': {
    implemented: [
      'tls_params',
      'tls_certificates',
      'tls_certificate_sds_secret_configs',
      'validation_context',
      'validation_context_sds_secret_config',
      'combined_validation_context',
      'alpn_protocols',
      'key_log',
    ],
  },
  'envoy.extensions.transport_sockets.tls.v3.TlsKeyLog': { implemented: 'all' },
  'envoy.extensions.transport_sockets.tls.v3.TlsSessionTicketKeys': { implemented: 'all' },
  'envoy.extensions.transport_sockets.tls.v3.CommonTlsContext.CombinedCertificateValidationContext': {
    implemented: ['default_validation_context', 'validation_context_sds_secret_config'],
  },
  'envoy.extensions.transport_sockets.tls.v3.TlsParameters': {
    implemented: [
      'tls_minimum_protocol_version',
      'tls_maximum_protocol_version',
      'cipher_suites',
      'ecdh_curves',
      'signature_algorithms',
    ],
    values: {
      tls_minimum_protocol_version: ['TLS_AUTO', 'TLSv1_2', 'TLSv1_3'],
      tls_maximum_protocol_version: ['TLS_AUTO', 'TLSv1_2', 'TLSv1_3'],
    },
  },
  'envoy.extensions.transport_sockets.tls.v3.TlsCertificate': {
    implemented: ['certificate_chain', 'private_key', 'password', 'watched_directory', 'ocsp_staple'],
  },
  'envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext': {
    implemented: [
      'trusted_ca',
      'watched_directory',
      'match_typed_subject_alt_names',
      'match_subject_alt_names',
      'verify_certificate_spki',
      'verify_certificate_hash',
      'allow_expired_certificate',
      'trust_chain_verification',
      'max_verify_depth',
      'crl',
      'only_verify_leaf_cert_crl',
      'custom_validator_config',
    ],
    noEffect: {
      suppress_client_ca_list: 'the names of the trusted authorities are never sent to clients',
    },
  },
  'envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher': {
    implemented: ['san_type', 'matcher', 'oid'],
    values: { san_type: ['DNS', 'URI', 'EMAIL', 'IP_ADDRESS', 'OTHER_NAME'] },
  },
  'envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig': {
    implemented: ['trust_domains', 'trust_bundles'],
  },
  'envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig.TrustDomain': {
    implemented: ['name', 'trust_bundle'],
  },
  'envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig': { implemented: ['name', 'sds_config'] },
  'envoy.extensions.transport_sockets.tls.v3.Secret': {
    implemented: ['name', 'tls_certificate', 'validation_context', 'generic_secret', 'session_ticket_keys'],
  },
  'envoy.extensions.transport_sockets.tls.v3.GenericSecret': { implemented: ['secret', 'secrets'] },
});
