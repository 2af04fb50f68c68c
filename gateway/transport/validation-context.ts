import { Buffer } from 'node:buffer';
import type { ServerContext } from '#gateway/api/context.ts';
import type { ValidationSecret } from '#gateway/api/secrets.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { compileStringMatcher } from '#gateway/config/matcher/string-matcher.ts';
import type { DataSource } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import type { CertificateValidationContext } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/common_pb.ts';
import type { StringMatcher } from '#proto-types/envoy/type/matcher/v3/string_pb.ts';
import { checkSpiffe, readTrustDomains } from './spiffe-config.ts';
import { parseCertificates } from './validator/certificate.ts';
import { parseCrls } from './validator/crl.ts';
import type { SanMatcher } from './validator/san-matcher.ts';
import type { SpiffeRules, TrustDomain } from './validator/spiffe.ts';
import { TrustStore } from './validator/trust-store.ts';
import type { PeerRules } from './validator/validate-peer.ts';

const decoder = new TextDecoder();
const defaultMaxDepth = 100; // BoringSSL's
const sanKinds: readonly SanMatcher['kind'][] = [null, 'email', 'dns', 'uri', 'ip', 'other'];
const uriKind = 3;

/** Reads what a CertificateValidationContext points at. Problems go to `diagnostics`; null means there were some. */
export function readValidationSecret(
  context: CertificateValidationContext,
  server: Pick<ServerContext, 'readDataSource'>,
  diagnostics: Diagnostics,
): ValidationSecret | null {
  const read = (source: DataSource | undefined, field: string, check: (pem: string) => string): string | null => {
    if (source === undefined) return '';
    const bytes = server.readDataSource(source, diagnostics.at(field));
    if (bytes === null) return null;
    const text = decoder.decode(bytes);
    let problem: string;
    try {
      problem = check(text);
    } catch {
      problem = 'holds something that cannot be parsed';
    }
    if (problem !== '') diagnostics.error(field, problem);
    return problem === '' ? text : null;
  };
  const trustedCa = read(context.trustedCa, 'trusted_ca', (pem) => {
    parseCrls(pem);
    return parseCertificates(pem).length === 0 ? 'holds no certificate that can be parsed' : '';
  });
  const crl = read(context.crl, 'crl', (pem) => {
    if (parseCrls(pem).length === 0) {
      diagnostics.warning(
        'crl',
        'holds no certificate revocation list: every certificate will be refused, as in Envoy',
      );
    }
    return '';
  });
  if (trustedCa === null || crl === null) return null;
  if (context.customValidatorConfig === undefined) return { trustedCa, crl, context };
  const at = diagnostics.at('custom_validator_config');
  const trustDomains = readTrustDomains(context.customValidatorConfig, server, at);
  return trustDomains === null ? null : { trustedCa, crl, context, trustDomains };
}

/**
 * Compiles the rules of a default context and one that came by SDS (either may be null): repeated fields are joined, single
 * ones of `dynamic` win, as protobuf merges.
 */
export function compileRules(
  base: ValidationSecret | null,
  dynamic: ValidationSecret | null,
  peer: 'server' | 'client',
): PeerRules | null {
  const contexts = [base, dynamic].filter((secret) => secret !== null);
  if (contexts.length === 0) return null;
  const messages = contexts.map((secret) => secret.context as CertificateValidationContext);
  const last = (read: (secret: ValidationSecret) => string): string => {
    const first = dynamic === null ? '' : read(dynamic);
    return first !== '' || base === null ? first : read(base);
  };
  const trustedCa = last((secret) => secret.trustedCa);
  const crl = last((secret) => secret.crl);
  const depth = messages.findLast((message) => message.maxVerifyDepth !== undefined)?.maxVerifyDepth;
  const sans = messages.flatMap(sanMatchers);
  const allowExpired = messages.some((message) => message.allowExpiredCertificate);
  const crls = [...parseCrls(trustedCa), ...parseCrls(crl)];
  const asksCrls = crls.length > 0 || crl !== '';
  const onlyLeaf = messages.some((message) => message.onlyVerifyLeafCertCrl);
  // Names prove nothing without a CA: with names but no CA nobody is trusted.
  const trustless = sans.length > 0 ? new TrustStore([], []) : null;
  const trustDomains = contexts.findLast((secret) => secret.trustDomains !== undefined)?.trustDomains;
  return {
    trust: trustedCa === '' ? trustless : new TrustStore(parseCertificates(trustedCa), crls),
    sans,
    fingerprints: messages.flatMap((m) =>
      m.verifyCertificateHash.map((hash) => hash.replaceAll(':', '').toLowerCase()),
    ),
    publicKeyHashes: messages.flatMap((message) =>
      message.verifyCertificateSpki.map((hash) => Buffer.from(hash, 'base64').toString('base64')),
    ),
    allowExpired,
    acceptUntrusted: messages.some((message) => message.trustChainVerification === 1),
    // The field counts the anchor too, and Envoy asks it of clients only.
    maxDepth: depth === undefined || peer === 'server' ? defaultMaxDepth : Math.max(0, depth - 1),
    peer,
    revocation: asksCrls ? (onlyLeaf ? 'leaf' : 'chain') : 'none',
    spiffe: trustDomains === undefined ? null : spiffeRules(trustDomains, messages, allowExpired),
  };
}

function spiffeRules(
  bundles: readonly { readonly name: string; readonly pem: string }[],
  messages: readonly CertificateValidationContext[],
  allowExpired: boolean,
): SpiffeRules {
  const domains = new Map<string, TrustDomain>();
  for (const { name, pem } of bundles) {
    const crls = parseCrls(pem);
    domains.set(name, { store: new TrustStore(parseCertificates(pem), crls), revocation: crls.length > 0 });
  }
  const typed = messages.flatMap((message) => message.matchTypedSubjectAltNames);
  const untyped = messages.flatMap((message) => message.matchSubjectAltNames);
  const sans = [
    ...typed.filter((entry) => entry.sanType === uriKind).map((entry) => readMatcher(entry.matcher, 'uri')),
    ...untyped.map((matcher) => readMatcher(matcher, 'uri')),
  ];
  return { domains, sans, allowExpired };
}

/** Notes what cannot work: rules that mean nothing without a CA, matchers and hashes that cannot be read. */
export function checkValidationContext(
  context: CertificateValidationContext,
  hasCa: boolean,
  diagnostics: Diagnostics,
): void {
  const spiffe = context.customValidatorConfig !== undefined;
  if (!hasCa && !spiffe) checkTrustless(context, diagnostics);
  if (spiffe) checkSpiffe(context, diagnostics);
  context.matchTypedSubjectAltNames.forEach((entry, i) => {
    const at = diagnostics.at(`match_typed_subject_alt_names[${i}]`);
    if (entry.sanType === 5 && !/^[0-2](\.\d+)+$/.test(entry.oid)) {
      at.error('oid', 'must be an object identifier in dotted form for OTHER_NAME');
    }
    checkMatcher(entry.matcher, at.at('matcher'));
  });
  context.matchSubjectAltNames.forEach((matcher, i) => {
    checkMatcher(matcher, diagnostics.at(`match_subject_alt_names[${i}]`));
  });
  for (const [i, hash] of context.verifyCertificateHash.entries()) {
    if (!/^[0-9a-fA-F]{64}$/.test(hash.length === 95 ? hash.replaceAll(':', '') : hash)) {
      diagnostics.error(`verify_certificate_hash[${i}]`, 'is not a SHA-256 hash in hexadecimal');
    }
  }
  for (const [i, hash] of context.verifyCertificateSpki.entries()) {
    if (Buffer.from(hash, 'base64').length !== 32) {
      diagnostics.error(`verify_certificate_spki[${i}]`, 'is not a SHA-256 hash in base64');
    }
  }
}

function checkTrustless(context: CertificateValidationContext, diagnostics: Diagnostics): void {
  const typed = context.matchTypedSubjectAltNames.length > 0;
  if (typed || context.matchSubjectAltNames.length > 0) {
    diagnostics.error(
      typed ? 'match_typed_subject_alt_names' : 'match_subject_alt_names',
      'SAN-based verification of peer certificates without trusted CA is insecure and not allowed',
    );
  }
  if (context.crl !== undefined) diagnostics.error('crl', 'cannot be loaded without trusted CA');
  if (context.allowExpiredCertificate) {
    diagnostics.error('allow_expired_certificate', 'Certificate validity period is always ignored without trusted CA');
  }
}

function checkMatcher(matcher: StringMatcher | undefined, diagnostics: Diagnostics): void {
  if (matcher === undefined) diagnostics.error('', 'is required');
  else diagnostics.try(() => compileStringMatcher(matcher));
}

function sanMatchers(message: CertificateValidationContext): SanMatcher[] {
  return [
    ...message.matchTypedSubjectAltNames.map((entry) =>
      readMatcher(entry.matcher, sanKinds[entry.sanType] ?? null, entry.oid),
    ),
    ...message.matchSubjectAltNames.map((matcher) => readMatcher(matcher, null)),
  ];
}

function readMatcher(matcher: StringMatcher | undefined, kind: SanMatcher['kind'], oid = ''): SanMatcher {
  const pattern = matcher?.matchPattern;
  const exactName = pattern?.case === 'exact' ? pattern.value : null;
  try {
    if (matcher === undefined) return { kind, oid, exactName: null, matches: nothing };
    const predicate = compileStringMatcher(matcher);
    return { kind, oid, exactName, matches: (name) => predicate.matches(name) };
  } catch {
    // Refused when it was read; should it get here all the same, it lets nobody in.
    return { kind, oid, exactName: null, matches: nothing };
  }
}

function nothing(): boolean {
  return false;
}
