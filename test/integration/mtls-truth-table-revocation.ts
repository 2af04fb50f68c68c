import { Buffer } from 'node:buffer';
import { der, integer, sequence } from '#test/support/der-writer.ts';
import {
  crlPem,
  extension,
  generalName,
  type MadeCertificate,
  type MadeOptions,
  make,
} from '#test/support/made-certificates.ts';
import {
  byRoot,
  direct,
  leafOf,
  line,
  type MtlsCase,
  mid,
  other,
  type Policy,
  root,
  trusting,
  viaMid,
} from './mtls-truth-table-world.ts';

/** CRLs. */
export function revocation(): MtlsCase[] {
  const revoked = leafOf(root);
  const fine = leafOf(root);
  const asking = (...crls: readonly string[]): Policy => ({ ...byRoot, crl: { inline_string: crls.join('') } });
  const rootCrl = crlPem({ issuer: root, revoked: [revoked] });
  const midCrl = crlPem({ issuer: mid });
  const noMid = crlPem({ issuer: root, revoked: [mid] });
  const onlyLeaf = { only_verify_leaf_cert_crl: true };
  const scope = (...fields: readonly Uint8Array[]): Uint8Array => extension('2.5.29.28', true, sequence(...fields));
  const flag = (tag: number): Buffer => der(tag, Buffer.from([0xff]));
  const point = (uri: string): Buffer => der(0xa0, der(0xa0, generalName(`uri:${uri}`)));
  const pointed = leafOf(root, {
    extensions: [extension('2.5.29.31', false, sequence(sequence(point('http://crl.test/1'))))],
  });
  const scoped = (...fields: readonly Uint8Array[]): Policy =>
    asking(crlPem({ issuer: root, extensions: [scope(...fields)] }));
  const mute = make({ name: 'mute root', ca: true, usages: ['certSign'] });
  const odd = extension('1.2.3.4', true, integer(1));
  const lax = { allow_expired_certificate: true };
  const reason = (code: number): Uint8Array => extension('2.5.29.21', false, der(0x0a, Buffer.from([code])));
  return [
    line('CRL, revoked', asking(rootCrl), revoked),
    line('CRL, not revoked', asking(rootCrl), fine),
    line('CRL of the root only, intermediate sent', asking(rootCrl), viaMid, mid),
    line('CRL of the root only, intermediate sent, leaf only', { ...asking(rootCrl), ...onlyLeaf }, viaMid, mid),
    line('CRLs of root and intermediate', asking(rootCrl, midCrl), viaMid, mid),
    line('CRL of the intermediate, leaf only', { ...asking(midCrl), ...onlyLeaf }, viaMid, mid),
    line('intermediate revoked', asking(noMid, midCrl), viaMid, mid),
    line('intermediate revoked, leaf only', { ...asking(noMid, midCrl), ...onlyLeaf }, viaMid, mid),
    line('leaf of the intermediate revoked', asking(rootCrl, crlPem({ issuer: mid, revoked: [viaMid] })), viaMid, mid),
    line('CRL of another CA', asking(crlPem({ issuer: other })), fine),
    line('expired CRL', asking(crlPem({ issuer: root, from: -9, until: -1 })), fine),
    line('expired CRL, expired allowed', { ...asking(crlPem({ issuer: root, from: -9, until: -1 })), ...lax }, fine),
    line('CRL of tomorrow', asking(crlPem({ issuer: root, from: 1 })), fine),
    line('CRL without an end', asking(crlPem({ issuer: root, until: null })), fine),
    line('forged CRL', asking(crlPem({ issuer: root, forged: true })), fine),
    line('CRL signed by another', asking(crlPem({ issuer: root, signer: other })), fine),
    line('CRL in the bundle, revoked', { trusted_ca: { inline_string: root.pem + rootCrl } }, revoked),
    line('CRL in the bundle, not revoked', { trusted_ca: { inline_string: root.pem + rootCrl } }, fine),
    line('newer CRL revokes', asking(crlPem({ issuer: root, from: -5 }), rootCrl), revoked),
    line(
      'newer CRL revokes no more',
      asking(crlPem({ issuer: root, revoked: [revoked], from: -5 }), crlPem({ issuer: root })),
      revoked,
    ),
    line(
      'expired CRL and a good one',
      asking(crlPem({ issuer: root, revoked: [revoked], from: -9, until: -1 }), crlPem({ issuer: root, from: -9 })),
      revoked,
    ),
    line('CRL for users', scoped(flag(0x81)), fine),
    line('CRL for authorities', scoped(flag(0x82)), fine),
    line('indirect CRL', scoped(flag(0x84)), fine),
    line('CRL for attributes', scoped(flag(0x85)), fine),
    line('CRL of the named point', scoped(point('http://crl.test/1')), pointed),
    line('CRL of another point', scoped(point('http://crl.test/2')), pointed),
    line('CRL of a point, none named', scoped(point('http://crl.test/1')), fine),
    line('critical extension in the CRL', asking(crlPem({ issuer: root, extensions: [odd] })), fine),
    line(
      'critical extension in an entry',
      asking(crlPem({ issuer: root, revoked: [revoked], entryExtensions: [odd] })),
      fine,
    ),
    line(
      'entry with a reason',
      asking(crlPem({ issuer: root, revoked: [revoked], entryExtensions: [reason(1)] })),
      revoked,
    ),
    line(
      'entry that takes back',
      asking(crlPem({ issuer: root, revoked: [revoked], entryExtensions: [reason(8)] })),
      revoked,
    ),
    line('version 1 CRL', asking(crlPem({ issuer: root, revoked: [revoked], version: 1 })), revoked),
    line('intermediate as anchor, CRL of it', { ...trusting(mid), crl: { inline_string: midCrl } }, viaMid),
    line(
      'intermediate as anchor, CRL of it, leaf only',
      { ...trusting(mid), crl: { inline_string: midCrl }, ...onlyLeaf },
      viaMid,
    ),
    line(
      'issuer that may not sign CRLs',
      { ...trusting(mute), crl: { inline_string: crlPem({ issuer: mute }) } },
      leafOf(mute),
    ),
    line('a file without CRL', asking('nothing here\n'), fine),
    line('revoked, lax', { ...asking(rootCrl), trust_chain_verification: 'ACCEPT_UNTRUSTED' }, revoked),
    line('no certificate, CRL', asking(rootCrl)),
  ];
}

/** SPIFFE trust domains. */
export function spiffe(): MtlsCase[] {
  const type = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig';
  const validator = (config: Policy, more: Policy = {}): Policy => ({
    custom_validator_config: { name: 'envoy.tls.cert_validator.spiffe', typed_config: { '@type': type, ...config } },
    ...more,
  });
  const domains = (list: Readonly<Record<string, string>>, more: Policy = {}): Policy =>
    validator(
      {
        trust_domains: Object.entries(list).map(([name, inline_string]) => ({ name, trust_bundle: { inline_string } })),
      },
      more,
    );
  const two = domains({ 'a.test': root.pem, 'b.test': other.pem });
  const svid = (issuer: MadeCertificate, id: string, more: Partial<MadeOptions> = {}): MadeCertificate =>
    leafOf(issuer, { sans: [`uri:${id}`], usages: ['digitalSignature'], ...more });
  const bundle = JSON.stringify({
    trust_domains: { 'a.test': { keys: [{ use: 'x509-svid', x5c: [root.der.toString('base64')] }] } },
  });
  const asking = (san_type: string, prefix: string): Policy =>
    domains({ 'a.test': root.pem }, { match_typed_subject_alt_names: [{ san_type, matcher: { prefix } }] });
  const good = svid(root, 'spiffe://a.test/x');
  const old = svid(root, 'spiffe://a.test/x', { from: -9, until: -1 });
  return [
    line('SVID of its domain', two, good),
    line('SVID of the other domain', two, svid(other, 'spiffe://b.test/x')),
    line('SVID of the wrong domain', two, svid(root, 'spiffe://b.test/x')),
    line('SVID of an unknown domain', two, svid(root, 'spiffe://c.test/x')),
    line('SVID without a path', two, svid(root, 'spiffe://a.test')),
    line('SVID with an empty path', two, svid(root, 'spiffe://a.test/')),
    line('SVID of another scheme', two, svid(root, 'https://a.test/x')),
    line('SVID, domain in upper case', two, svid(root, 'spiffe://A.TEST/x')),
    line('no URI', two, direct),
    line('two URIs', two, leafOf(root, { sans: ['uri:spiffe://a.test/x', 'uri:spiffe://b.test/x'] })),
    line('SVID that is a CA', two, svid(root, 'spiffe://a.test/x', { ca: true })),
    line(
      'SVID that may sign certificates',
      two,
      svid(root, 'spiffe://a.test/x', { usages: ['digitalSignature', 'certSign'] }),
    ),
    line('SVID without key usage', two, leafOf(root, { sans: ['uri:spiffe://a.test/x'] })),
    line('SVID for servers', two, svid(root, 'spiffe://a.test/x', { purposes: ['server'] })),
    line('SVID through an intermediate', two, svid(mid, 'spiffe://a.test/x'), mid),
    line('SVID, intermediate missing', two, svid(mid, 'spiffe://a.test/x')),
    line('SVID, intermediate as anchor', domains({ 'a.test': mid.pem }), svid(mid, 'spiffe://a.test/x')),
    line('expired SVID', two, old),
    line('expired SVID, allowed', domains({ 'a.test': root.pem }, { allow_expired_certificate: true }), old),
    line('SVID, name asked', asking('URI', 'spiffe://a.test/'), good),
    line('SVID, other name asked', asking('URI', 'spiffe://a.test/y'), good),
    line('SVID, a DNS name asked', asking('DNS', 'nothing'), good),
    line('SVID by bundle map', validator({ trust_bundles: { inline_string: bundle } }), good),
    line(
      'SVID by bundle map, unknown',
      validator({ trust_bundles: { inline_string: bundle } }),
      svid(root, 'spiffe://b.test/x'),
    ),
    line('SVID, CRL in the bundle', domains({ 'a.test': root.pem + crlPem({ issuer: root, revoked: [good] }) }), good),
    line(
      'SVID, lax',
      domains({ 'a.test': root.pem }, { trust_chain_verification: 'ACCEPT_UNTRUSTED' }),
      svid(root, 'spiffe://b.test/x'),
    ),
    line('trust domains, no certificate', two),
  ];
}
