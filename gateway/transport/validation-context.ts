import type { ServerContext } from '#gateway/api/context.ts';
import type { ValidationSecret } from '#gateway/api/secrets.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { CertificateValidationContext } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/common_pb.ts';
import { type Certificate, parseCertificates } from './validator/certificate.ts';
import type { SanMatcher } from './validator/san-matcher.ts';
import type { PeerRules } from './validator/validate-peer.ts';

const decoder = new TextDecoder();
const defaultMaxDepth = 100; // BoringSSL's
const sanKinds: readonly SanMatcher['kind'][] = [null, 'email', 'dns', 'uri', 'ip'];

/** Reads what a CertificateValidationContext points at. Problems go to `diagnostics`; null means there were some. */
export function readValidationSecret(
  context: CertificateValidationContext,
  server: Pick<ServerContext, 'readDataSource'>,
  diagnostics: Diagnostics,
): ValidationSecret | null {
  let trustedCa = '';
  if (context.trustedCa !== undefined) {
    const bytes = server.readDataSource(context.trustedCa, diagnostics.at('trusted_ca'));
    if (bytes === null) return null;
    trustedCa = decoder.decode(bytes);
    let found: Certificate[] = [];
    try {
      found = parseCertificates(trustedCa);
    } catch {
      // told below, together with an empty bundle
    }
    if (found.length === 0) {
      diagnostics.error('trusted_ca', 'holds no certificate that can be parsed');
      return null;
    }
  }
  return { trustedCa, crl: '', context };
}

/**
 * Compiles the rules of a default context and one that came by SDS (either may be null): repeated fields are joined, single
 * ones of `dynamic` win, as protobuf merges. The message of a problem is thrown as ConfigError by `diagnostics` later.
 */
export function compileRules(
  base: ValidationSecret | null,
  dynamic: ValidationSecret | null,
  peer: 'server' | 'client',
): PeerRules | null {
  const contexts = [base, dynamic].filter((secret) => secret !== null);
  if (contexts.length === 0) return null;
  const messages = contexts.map((secret) => secret.context as CertificateValidationContext);
  const trustedCa = (dynamic !== null && dynamic.trustedCa !== '' ? dynamic : base)?.trustedCa ?? '';
  const depth = messages.findLast((message) => message.maxVerifyDepth !== undefined)?.maxVerifyDepth;
  return {
    anchors: trustedCa === '' ? null : parseCertificates(trustedCa),
    sans: messages.flatMap(sanMatchers),
    fingerprints: messages.flatMap((m) =>
      m.verifyCertificateHash.map((hash) => hash.replaceAll(':', '').toLowerCase()),
    ),
    publicKeyHashes: messages.flatMap((message) => message.verifyCertificateSpki),
    allowExpired: messages.some((message) => message.allowExpiredCertificate),
    acceptUntrusted: messages.some((message) => message.trustChainVerification === 1),
    maxDepth: depth ?? defaultMaxDepth,
    peer,
  };
}

/** Notes what cannot work: SAN rules without a CA, matchers that are not supported. */
export function checkValidationContext(
  context: CertificateValidationContext,
  hasCa: boolean,
  diagnostics: Diagnostics,
): void {
  const sans = context.matchTypedSubjectAltNames.length + context.matchSubjectAltNames.length;
  if (sans > 0 && !hasCa) {
    diagnostics.error(
      context.matchTypedSubjectAltNames.length > 0 ? 'match_typed_subject_alt_names' : 'match_subject_alt_names',
      'SAN-based verification of peer certificates without trusted CA is insecure and not allowed',
    );
  }
  context.matchTypedSubjectAltNames.forEach((entry, i) => {
    if (entry.sanType === 5) {
      diagnostics.error(`match_typed_subject_alt_names[${i}].san_type`, 'OTHER_NAME is not supported yet');
    }
    if (readMatcher(entry.matcher, null) === null) {
      diagnostics.error(`match_typed_subject_alt_names[${i}].matcher`, 'this matcher is not supported yet for names');
    }
  });
  context.matchSubjectAltNames.forEach((matcher, i) => {
    if (readMatcher(matcher, null) === null) {
      diagnostics.error(`match_subject_alt_names[${i}]`, 'this matcher is not supported yet for names');
    }
  });
  for (const [i, hash] of context.verifyCertificateHash.entries()) {
    if (!/^[0-9a-fA-F]{64}$/.test(hash.replaceAll(':', ''))) {
      diagnostics.error(`verify_certificate_hash[${i}]`, 'is not a SHA-256 hash in hexadecimal');
    }
  }
}

function sanMatchers(message: CertificateValidationContext): SanMatcher[] {
  const matchers: (SanMatcher | null)[] = [];
  for (const entry of message.matchTypedSubjectAltNames) {
    matchers.push(readMatcher(entry.matcher, sanKinds[entry.sanType] ?? null));
  }
  for (const matcher of message.matchSubjectAltNames) matchers.push(readMatcher(matcher, null));
  return matchers.filter((matcher) => matcher !== null);
}

function readMatcher(
  matcher: CertificateValidationContext['matchSubjectAltNames'][number] | undefined,
  kind: SanMatcher['kind'],
): SanMatcher | null {
  const pattern = matcher?.matchPattern;
  switch (pattern?.case) {
    case 'exact':
    case 'prefix':
    case 'suffix':
    case 'contains':
      return { kind, form: pattern.case, value: pattern.value, ignoreCase: matcher!.ignoreCase };
    default:
      return null;
  }
}
