import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { type TlsCapability, tlsCannot, tlsCapabilities } from '#gateway/runtime/tls-capabilities.ts';
import { knowsCipherSuite, type TlsSettings, type TlsVersionName } from '#gateway/runtime/tls-sockets.ts';
import type { TlsParameters } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/common_pb.ts';

/** TlsProtocol of the message, by number; 0 is TLS_AUTO. */
const versions: readonly (TlsVersionName | null)[] = [null, 'TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'];

/** Envoy's own list for servers: forward secrecy and authenticated encryption only. */
const serverSuites = [
  '[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]',
  '[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
].join(':');

/** OpenSSL's names of the suites that Envoy also takes by the registered ones. */
const registeredNames: Readonly<Record<string, string>> = {
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 'ECDHE-RSA-AES128-GCM-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 'ECDHE-ECDSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 'ECDHE-RSA-AES256-GCM-SHA384',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: 'ECDHE-ECDSA-AES128-SHA',
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: 'ECDHE-RSA-AES128-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: 'ECDHE-ECDSA-AES256-SHA',
  TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: 'ECDHE-RSA-AES256-SHA',
  TLS_RSA_WITH_AES_128_GCM_SHA256: 'AES128-GCM-SHA256',
  TLS_RSA_WITH_AES_256_GCM_SHA384: 'AES256-GCM-SHA384',
  TLS_RSA_WITH_AES_128_CBC_SHA: 'AES128-SHA',
  TLS_RSA_WITH_AES_256_CBC_SHA: 'AES256-SHA',
};

/**
 * What holds when nothing is configured: TLS 1.2 to 1.3; for servers Envoy's suites, which are all that Deno has anyway; for
 * clients the runtime's.
 */
export function defaultTlsSettings(side: 'server' | 'client'): TlsSettings {
  return {
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
    ciphers: side === 'server' && tlsCapabilities.cipherSuites ? serverSuites : '',
    ecdhCurves: '',
    signatureAlgorithms: '',
  };
}

/** Reads tls_params; a setting that this runtime would ignore is refused by name. Paths are relative to it. */
export function readTlsSettings(
  params: TlsParameters | undefined,
  side: 'server' | 'client',
  diagnostics: Diagnostics,
): TlsSettings {
  const defaults = defaultTlsSettings(side);
  if (params === undefined) return defaults;
  const minVersion = versions[params.tlsMinimumProtocolVersion] ?? defaults.minVersion;
  const maxVersion = versions[params.tlsMaximumProtocolVersion] ?? defaults.maxVersion;
  if (versions.indexOf(minVersion) > versions.indexOf(maxVersion)) {
    diagnostics.error('tls_minimum_protocol_version', `${minVersion} is above the maximum, ${maxVersion}`);
  }
  if (params.cipherSuites.length > 0) need('cipherSuites', 'cipher_suites', diagnostics);
  if (params.ecdhCurves.length > 0) need('ecdhCurves', 'ecdh_curves', diagnostics);
  if (params.signatureAlgorithms.length > 0) need('signatureAlgorithms', 'signature_algorithms', diagnostics);
  const curve = params.ecdhCurves.indexOf('X25519MLKEM768');
  if (curve !== -1 && tlsCapabilities.ecdhCurves) need('postQuantumCurves', `ecdh_curves[${curve}]`, diagnostics);
  const suites = params.cipherSuites.map((entry, i) => readSuites(entry, diagnostics, `cipher_suites[${i}]`));
  return {
    minVersion,
    maxVersion,
    ciphers: suites.length > 0 ? suites.join(':') : defaults.ciphers,
    ecdhCurves: params.ecdhCurves.join(':'),
    signatureAlgorithms: params.signatureAlgorithms.join(':'),
  };
}

/** Refuses a field that asks for what this runtime does not do. True when it does. */
export function need(capability: TlsCapability, path: string, diagnostics: Diagnostics): boolean {
  if (tlsCapabilities[capability]) return true;
  diagnostics.error(path, tlsCannot(capability));
  return false;
}

// One entry of cipher_suites: a suite, several joined by `:`, equals in brackets, or a rule such as `-ALL` or `!aNULL`.
function readSuites(entry: string, diagnostics: Diagnostics, path: string): string {
  return entry.replaceAll(/[^[\]|: ,;]+/g, (name) => {
    const suite = registeredNames[name] ?? name;
    const isRule = '-!+@'.includes(suite[0]!);
    if (tlsCapabilities.cipherSuites && !isRule && !knowsCipherSuite(suite)) {
      const why = suite.startsWith('TLS_') ? 'suites of TLS 1.3 cannot be chosen, with Envoy neither' : 'unknown';
      diagnostics.error(path, `"${name}" is not a cipher suite of this runtime's TLS library (${why})`);
    }
    return suite;
  });
}
