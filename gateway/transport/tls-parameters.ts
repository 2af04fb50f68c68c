import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { tlsCapabilities } from '#gateway/runtime/tls-capabilities.ts';
import type { TlsSettings, TlsVersionName } from '#gateway/runtime/tls-sockets.ts';
import type { TlsParameters } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/common_pb.ts';

/** TlsProtocol of the message, by number; 0 is TLS_AUTO. */
const versions: readonly (TlsVersionName | null)[] = [null, 'TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'];

/** What holds when nothing is configured: TLS 1.2 to 1.3 with the runtime's suites. */
export const defaultTlsSettings: TlsSettings = {
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  ciphers: '',
  ecdhCurves: '',
  signatureAlgorithms: '',
};

/** Reads tls_params; a setting that this runtime would ignore is refused by name. Paths are relative to it. */
export function readTlsSettings(params: TlsParameters | undefined, diagnostics: Diagnostics): TlsSettings {
  if (params === undefined) return defaultTlsSettings;
  const minVersion = versions[params.tlsMinimumProtocolVersion] ?? 'TLSv1.2';
  const maxVersion = versions[params.tlsMaximumProtocolVersion] ?? 'TLSv1.3';
  if (versions.indexOf(minVersion) > versions.indexOf(maxVersion)) {
    diagnostics.error('tls_minimum_protocol_version', `${minVersion} is above the maximum, ${maxVersion}`);
  }
  const able = tlsCapabilities;
  if (params.cipherSuites.length > 0 && !able.cipherSuites) refuse('cipher_suites', diagnostics);
  if (params.ecdhCurves.length > 0 && !able.ecdhCurves) refuse('ecdh_curves', diagnostics);
  if (params.signatureAlgorithms.length > 0 && !able.signatureAlgorithms) refuse('signature_algorithms', diagnostics);
  return {
    minVersion,
    maxVersion,
    ciphers: params.cipherSuites.map(withoutGroup).join(':'),
    ecdhCurves: params.ecdhCurves.join(':'),
    signatureAlgorithms: params.signatureAlgorithms.join(':'),
  };
}

function refuse(field: string, diagnostics: Diagnostics): void {
  diagnostics.error(field, `${field} is not honoured by this runtime's TLS`);
}

// BoringSSL's `[A|B]` means equal preference, which no runtime takes: a plain list keeps the choice and drops the tie.
function withoutGroup(suite: string): string {
  return suite.startsWith('[') ? suite.slice(1, -1).replaceAll('|', ':') : suite;
}
