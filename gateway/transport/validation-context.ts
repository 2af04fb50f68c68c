import type { ServerContext } from '#gateway/api/context.ts';
import type { ValidationSecret } from '#gateway/api/secrets.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { compileStringMatcher } from '#gateway/config/matcher/string-matcher.ts';
import type { CertificateValidationContext } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/common_pb.ts';
import type { StringMatcher } from '#proto-types/envoy/type/matcher/v3/string_pb.ts';
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
  const sans = messages.flatMap(sanMatchers);
  // Names prove nothing without a CA: with names but no CA nobody is trusted.
  const untrusting = sans.length > 0 ? [] : null;
  return {
    anchors: trustedCa === '' ? untrusting : parseCertificates(trustedCa),
    sans,
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
    checkMatcher(entry.matcher, diagnostics.at(`match_typed_subject_alt_names[${i}].matcher`));
  });
  context.matchSubjectAltNames.forEach((matcher, i) => {
    checkMatcher(matcher, diagnostics.at(`match_subject_alt_names[${i}]`));
  });
  for (const [i, hash] of context.verifyCertificateHash.entries()) {
    if (!/^[0-9a-fA-F]{64}$/.test(hash.replaceAll(':', ''))) {
      diagnostics.error(`verify_certificate_hash[${i}]`, 'is not a SHA-256 hash in hexadecimal');
    }
  }
}

function checkMatcher(matcher: StringMatcher | undefined, diagnostics: Diagnostics): void {
  if (matcher === undefined) diagnostics.error('', 'is required');
  else diagnostics.try(() => compileStringMatcher(matcher));
}

function sanMatchers(message: CertificateValidationContext): SanMatcher[] {
  return [
    ...message.matchTypedSubjectAltNames.map((entry) => readMatcher(entry.matcher, sanKinds[entry.sanType] ?? null)),
    ...message.matchSubjectAltNames.map((matcher) => readMatcher(matcher, null)),
  ];
}

function readMatcher(matcher: StringMatcher | undefined, kind: SanMatcher['kind']): SanMatcher {
  const pattern = matcher?.matchPattern;
  const exactName = pattern?.case === 'exact' ? pattern.value : null;
  try {
    if (matcher === undefined) return { kind, exactName: null, matches: nothing };
    const predicate = compileStringMatcher(matcher);
    return { kind, exactName, matches: (name) => predicate.matches(name) };
  } catch {
    // Refused when it was read; should it get here all the same, it lets nobody in.
    return { kind, exactName: null, matches: nothing };
  }
}

function nothing(): boolean {
  return false;
}
