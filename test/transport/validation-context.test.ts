import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { fromJson } from '@bufbuild/protobuf';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { messageSchema, protoRegistry } from '#gateway/proto/registry.ts';
import { checkValidationContext, compileRules, readValidationSecret } from '#gateway/transport/validation-context.ts';
import type { PeerRules } from '#gateway/transport/validator/validate-peer.ts';
import { asksForCertificate, needsCertificate } from '#gateway/transport/validator/validate-peer.ts';
import type { CertificateValidationContext } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/common_pb.ts';
import { crlPem, make } from '#test/support/made-certificates.ts';
import { createTestServerContext } from '#test/support/server-context.ts';

const root = make({ name: 'root', ca: true });
const crl = crlPem({ issuer: root });
const ca = { trusted_ca: { inline_string: root.pem } };
const server = createTestServerContext();
const badPem = (label: string): string => `-----BEGIN ${label}-----\nAAAA\n-----END ${label}-----\n`;

function parse(json: JsonObject): CertificateValidationContext {
  const schema = messageSchema<CertificateValidationContext>(
    'envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext',
  );
  return fromJson(schema, json, { registry: protoRegistry() });
}

/** What is said of a context: `error` and `warning` lines with path and problem. */
function findings(json: JsonObject): string[] {
  const diagnostics = new Diagnostics();
  const context = parse(json);
  readValidationSecret(context, server, diagnostics);
  checkValidationContext(context, context.trustedCa !== undefined, diagnostics);
  return diagnostics.all.map((entry) => `${entry.severity}: ${entry.path}: ${entry.problem}`);
}

function rules(json: JsonObject, more: JsonObject | null = null): PeerRules {
  const read = (part: JsonObject) => readValidationSecret(parse(part), server, new Diagnostics());
  return compileRules(read(json), more === null ? null : read(more), 'client')!;
}

const san = (san_type: string, matcher: JsonObject, more: JsonObject = {}): JsonObject => ({
  ...ca,
  match_typed_subject_alt_names: [{ san_type, matcher, ...more }],
});
const spiffe = (config: JsonObject, more: JsonObject = {}): JsonObject => ({
  custom_validator_config: {
    name: 'envoy.tls.cert_validator.spiffe',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig',
      ...config,
    },
  },
  ...more,
});
const domain = (name: string, inline_string: string): JsonObject => ({ name, trust_bundle: { inline_string } });
const bundles = (inline_string: string): JsonObject => spiffe({ trust_bundles: { inline_string } });

/** Envoy 1.40 accepts and refuses the same ones. */
const cases: readonly (readonly [string, JsonObject, RegExp | null])[] = [
  ['a CA', ca, null],
  ['a CRL without CA', { crl: { inline_string: crl } }, /error: crl: cannot be loaded without trusted CA/],
  ['a malformed CRL', { ...ca, crl: { inline_string: badPem('X509 CRL') } }, /error: crl: .*cannot be parsed/],
  ['a CRL that is none', { ...ca, crl: { inline_string: 'hello' } }, /^warning: crl: .*every certificate/],
  ['a CA that is none', { trusted_ca: { inline_string: 'hello' } }, /error: trusted_ca: holds no certificate/],
  ['a CRL for a CA', { trusted_ca: { inline_string: crl } }, /error: trusted_ca: holds no certificate/],
  [
    'a malformed CA among good ones',
    { trusted_ca: { inline_string: root.pem + badPem('CERTIFICATE') } },
    /error: trusted_ca: .*cannot be parsed/,
  ],
  [
    'expired ones allowed without CA',
    { allow_expired_certificate: true },
    /error: allow_expired_certificate: .*trusted CA/,
  ],
  ['names without CA', { match_subject_alt_names: [{ exact: 'a' }] }, /error: match_subject_alt_names: .*insecure/],
  [
    'a hash that is no hexadecimal',
    { verify_certificate_hash: ['zz'.repeat(32)] },
    /error: verify_certificate_hash\[0\]/,
  ],
  ['a hash too long', { verify_certificate_hash: ['ab'.repeat(33)] }, /error: verify_certificate_hash\[0\]/],
  [
    'a key hash that is no base64',
    { verify_certificate_spki: ['!'.repeat(44)] },
    /error: verify_certificate_spki\[0\]/,
  ],
  ['an other name of no kind', san('OTHER_NAME', { exact: 'a' }), /error: match_typed_subject_alt_names\[0\]\.oid/],
  ['an other name', san('OTHER_NAME', { exact: 'a' }, { oid: '1.2.3' }), null],
  [
    'a bad expression',
    san('DNS', { safe_regex: { regex: '(' } }),
    /error: match_typed_subject_alt_names\[0\]\.matcher/,
  ],
  ['a trust domain', spiffe({ trust_domains: [domain('a', root.pem)] }), null],
  ['a trust domain twice', spiffe({ trust_domains: [domain('a', root.pem), domain('a', root.pem)] }), /Multiple trust/],
  ['a bundle that is none', spiffe({ trust_domains: [domain('a', 'hello')] }), /Failed to load trusted CA/],
  ['a bundle map', bundles(bundleMap(root.der.toString('base64'))), null],
  ['a bundle map that is no JSON', bundles('{'), /Invalid JSON found in SPIFFE bundle/],
  ['a bundle map without domains', bundles('{}'), /No trust domains found/],
  ['a bundle map without keys', bundles('{"trust_domains":{"a":{}}}'), /No keys found in SPIFFE bundle for domain 'a'/],
  ['a bundle map of JWT keys', bundles('{"trust_domains":{"a":{"keys":[{"use":"jwt-svid"}]}}}'), /'use' field/],
  ['a bundle map without certificates', bundles('{"trust_domains":{"a":{"keys":[{"use":"x509-svid"}]}}}'), /'x5c'/],
  ['a bundle map with a malformed one', bundles(bundleMap('AAAA')), /Failed to load trusted CA certificate for a/],
  [
    'what the SPIFFE validator leaves aside',
    spiffe({ trust_domains: [domain('a', root.pem)] }, { ...ca, max_verify_depth: 1 }),
    /^warning: trusted_ca: .*no effect.*\nwarning: max_verify_depth: .*no effect/,
  ],
];

function bundleMap(certificate: string): string {
  return JSON.stringify({ trust_domains: { a: { keys: [{ use: 'x509-svid', x5c: [certificate] }] } } });
}

describe('validation context', () => {
  for (const [name, json, said] of cases) {
    it(`${name}: ${said === null ? 'fine' : said.source.startsWith('^warning') ? 'a warning' : 'refused'}`, () => {
      const found = findings(json).join('\n');
      if (said === null) assert.equal(found, '');
      else assert.match(found, said);
    });
  }

  it('joins a default context and one of SDS as protobuf merges', () => {
    const hash = 'ab'.repeat(32);
    const other = make({ name: 'other', ca: true });
    const merged = rules(
      { ...ca, verify_certificate_hash: [hash], max_verify_depth: 5 },
      {
        trusted_ca: { inline_string: other.pem },
        verify_certificate_hash: ['cd'.repeat(32)],
        max_verify_depth: 2,
        allow_expired_certificate: true,
      },
    );
    assert.deepEqual(
      merged.trust!.anchors.map((anchor) => anchor.commonName),
      ['other'],
    );
    assert.deepEqual(merged.fingerprints, [hash, 'cd'.repeat(32)]);
    assert.equal(merged.maxDepth, 1);
    assert.equal(merged.allowExpired, true);
    assert.equal(merged.revocation, 'none');
  });

  it('CRLs ask of the whole chain, or of the leaf', () => {
    assert.equal(rules({ ...ca, crl: { inline_string: crl } }).revocation, 'chain');
    assert.equal(rules({ ...ca, crl: { inline_string: crl }, only_verify_leaf_cert_crl: true }).revocation, 'leaf');
    assert.equal(rules({ trusted_ca: { inline_string: root.pem + crl } }).revocation, 'chain');
    assert.equal(rules({ ...ca, crl: { inline_string: 'hello' } }).revocation, 'chain');
    assert.equal(rules(ca, { crl: { inline_string: crl } }).revocation, 'chain');
  });

  it('names without a CA trust nobody, whatever comes by SDS', () => {
    const without = rules({}, { match_typed_subject_alt_names: [{ san_type: 'DNS', matcher: { exact: 'a' } }] });
    assert.equal(without.trust!.anchors.length, 0);
  });

  it('who is asked for a certificate, and who must have one', () => {
    const lax = { trust_chain_verification: 'ACCEPT_UNTRUSTED' };
    const pin = { verify_certificate_hash: ['ab'.repeat(32)] };
    const table: readonly (readonly [JsonObject, boolean, boolean, boolean])[] = [
      // rules, asked, must without require_client_certificate, must with it
      [{}, false, false, false],
      [ca, true, false, true],
      [lax, true, false, false],
      [{ ...ca, ...lax }, true, false, true],
      [pin, true, true, true],
      [{ ...pin, ...lax }, true, false, false],
      [spiffe({ trust_domains: [domain('a', root.pem)] }), true, true, true],
    ];
    for (const [json, asked, optional, required] of table) {
      const compiled = rules(json);
      const answers = [
        asksForCertificate(compiled),
        needsCertificate(compiled, false),
        needsCertificate(compiled, true),
      ];
      assert.deepEqual(answers, [asked, optional, required], JSON.stringify(json).slice(0, 80));
    }
    assert.equal(asksForCertificate(null), false);
    assert.equal(needsCertificate(null, true), false);
  });
});
