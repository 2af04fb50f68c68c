import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { der, integer, oid, sequence } from '#test/support/der-writer.ts';
import {
  commonName,
  crlPem,
  extension,
  generalName,
  type MadeCertificate,
  type MadeOptions,
  make,
  nameConstraints,
} from '#test/support/made-certificates.ts';

/** A CertificateValidationContext in JSON. */
export type Policy = Readonly<Record<string, unknown>>;

/** One line of the table: who comes, and what is asked. */
export interface MtlsCase {
  readonly name: string;
  /** Null: no validation context at all. */
  readonly policy: Policy | null;
  readonly required?: boolean;
  /** What the client sends, leaf first; its key is the first one's. Empty: no certificate. */
  readonly chain: readonly MadeCertificate[];
}

const pems = (...list: readonly MadeCertificate[]): string => list.map((certificate) => certificate.pem).join('');
const trusting = (...list: readonly MadeCertificate[]): Policy => ({ trusted_ca: { inline_string: pems(...list) } });

const root = make({ name: 'root', ca: true });
const mid = make({ name: 'mid', ca: true, issuer: root });
const low = make({ name: 'low', ca: true, issuer: mid });
const other = make({ name: 'other root', ca: true });
const leafOf = (issuer: MadeCertificate, more: Partial<MadeOptions> = {}): MadeCertificate =>
  make({ name: 'leaf', issuer, ...more });
const caOf = (issuer: MadeCertificate, more: Partial<MadeOptions> = {}): MadeCertificate =>
  make({ name: 'made ca', ca: true, issuer, ...more });

const direct = leafOf(root);
const viaMid = leafOf(mid);
const viaLow = leafOf(low);
const selfSigned = make({ name: 'self' });
const line = (name: string, policy: Policy | null, ...chain: readonly MadeCertificate[]): MtlsCase => ({
  name,
  policy,
  chain,
});
const byRoot = trusting(root);
/** The same twice more: listeners of their own for what counts otherwise than at Envoy, everywhere and on some runtimes. */
const apart = { ...byRoot, max_verify_depth: 99 };
const lone = { ...byRoot, max_verify_depth: 98 };

function chains(): MtlsCase[] {
  const impostor = make({ name: 'root', ca: true });
  const plainRoot = make({ name: 'plain root', ca: true, noKeyIds: true });
  const plainImpostor = make({ name: 'plain root', ca: true, noKeyIds: true });
  const plainLeaf = leafOf(plainRoot, { noKeyIds: true });
  const renamed = make({ name: 'x', ca: true, subject: commonName('  Some   ROOT ', 0x13) });
  const crossKeys = make({ name: 'cross', ca: true, issuer: root });
  const crossOther = make({ name: 'cross', ca: true, issuer: other, keys: crossKeys });
  const viaCross = leafOf(crossKeys);
  const stale = make({ name: 'renewed', ca: true, issuer: root, from: -9, until: -1 });
  const fresh = make({ name: 'renewed', ca: true, issuer: root, keys: stale });
  const viaRenewed = leafOf(stale);
  const digitalSelf = make({ name: 'self', usages: ['digitalSignature'] });
  return [
    line('leaf of the root', byRoot, direct),
    line('intermediate sent', byRoot, viaMid, mid),
    line('intermediate missing', byRoot, viaMid),
    line('two intermediates', byRoot, viaLow, low, mid),
    line('two intermediates in the wrong order', byRoot, viaLow, mid, low),
    line('upper intermediate missing', byRoot, viaLow, low),
    line('root sent along', byRoot, viaMid, mid, root),
    line('strangers between', byRoot, viaLow, selfSigned, other, mid, low),
    line('unknown root', byRoot, leafOf(other)),
    line('unknown root, sent along', byRoot, leafOf(other), other),
    line('root of the same name with another key', byRoot, leafOf(impostor)),
    line('the same, without key identifiers', trusting(plainImpostor), plainLeaf),
    line('both roots of one name', trusting(root, impostor), leafOf(impostor)),
    line('both roots of one name, other order', trusting(impostor, root), leafOf(impostor)),
    line('both roots of one name without identifiers', trusting(plainRoot, plainImpostor), plainLeaf),
    line('both roots of one name without identifiers, other order', trusting(plainImpostor, plainRoot), plainLeaf),
    line('intermediate as anchor', trusting(mid), viaMid),
    line('intermediate as anchor, sent too', trusting(mid), viaMid, mid),
    line('upper intermediate as anchor', trusting(mid), viaLow, low),
    line('leaf as anchor', trusting(viaMid), viaMid),
    line('leaf as anchor, intermediate sent', trusting(viaMid), viaMid, mid),
    line('self-signed leaf', byRoot, selfSigned),
    line('self-signed leaf as anchor', trusting(selfSigned), selfSigned),
    line('self-signed leaf that may not sign', byRoot, digitalSelf),
    line('self-signed leaf that may not sign, as anchor', trusting(digitalSelf), digitalSelf),
    line('intermediate and root as anchors', trusting(root, mid), viaMid),
    line(
      'names equal but for case and space',
      trusting(renamed),
      leafOf(renamed, { issuerSubject: commonName('some root') }),
    ),
    line('names that differ', trusting(renamed), leafOf(renamed, { issuerSubject: commonName('someroot') })),
    line('cross-signed, the known one first', byRoot, viaCross, crossKeys, crossOther),
    line('cross-signed, the known one last', apart, viaCross, crossOther, crossKeys),
    line('cross-signed, both known', trusting(root, other), viaCross, crossOther, crossKeys),
    line('renewed intermediate first', byRoot, viaRenewed, fresh, stale),
    line('renewed intermediate last', apart, viaRenewed, stale, fresh),
    line('forged leaf', byRoot, leafOf(root, { forged: true })),
    line(
      'forged intermediate',
      byRoot,
      ...(() => {
        const forged = caOf(root, { forged: true });
        return [leafOf(forged), forged];
      })(),
    ),
    line('leaf signed with SHA-1', byRoot, leafOf(root, { hash: 'sha1' })),
  ];
}

function under(name: string, more: Partial<MadeOptions>, leaf: Partial<MadeOptions> = {}, policy = byRoot): MtlsCase {
  const authority = caOf(root, more);
  return line(name, policy, leafOf(authority, leaf), authority);
}

function dates(): MtlsCase[] {
  const oldRoot = make({ name: 'old root', ca: true, from: -9, until: -1 });
  const newRoot = make({ name: 'new root', ca: true, from: 1 });
  const old = { from: -9, until: -1 };
  const lax = { ...byRoot, allow_expired_certificate: true };
  return [
    line('expired leaf', byRoot, leafOf(root, old)),
    line('expired leaf, allowed', lax, leafOf(root, old)),
    line('leaf of tomorrow', byRoot, leafOf(root, { from: 1 })),
    line('leaf of tomorrow, expired ones allowed', lax, leafOf(root, { from: 1 })),
    under('expired intermediate', old),
    under('expired intermediate, allowed', old, {}, lax),
    under('intermediate of tomorrow', { from: 1 }),
    line('expired anchor', trusting(oldRoot), leafOf(oldRoot)),
    line('expired anchor, allowed', { ...trusting(oldRoot), allow_expired_certificate: true }, leafOf(oldRoot)),
    line('anchor of tomorrow', trusting(newRoot), leafOf(newRoot)),
    line('expired and of an unknown root', lax, leafOf(other, old)),
  ];
}

function usages(): MtlsCase[] {
  const serverRoot = make({ name: 'server root', ca: true, purposes: ['server'] });
  const strangeRoot = make({ name: 'strange root', ca: true, extensions: [extension('1.2.3.4', true, integer(1))] });
  const shortRoot = make({ name: 'short root', ca: 0 });
  const belowShort = caOf(shortRoot);
  const short = caOf(root, { ca: 0 });
  const belowMiddle = make({ name: 'below', ca: true, issuer: short });
  const noCa = caOf(root, { ca: false });
  const noConstraints = caOf(root, { ca: null, usages: ['certSign'] });
  const oldRoot = make({ name: 'version 1 root', version: 1 });
  const oldMid = make({ name: 'version 1 mid', version: 1, issuer: root });
  const kinds = ['client', 'server', 'any', 'email'] as const;
  return [
    ...kinds.map((purpose) => line(`leaf for ${purpose}`, byRoot, leafOf(root, { purposes: [purpose] }))),
    line('leaf for client and server', byRoot, leafOf(root, { purposes: ['server', 'client'] })),
    ...kinds.map((purpose) => under(`intermediate for ${purpose}`, { purposes: [purpose] })),
    line('anchor for servers', trusting(serverRoot), leafOf(serverRoot)),
    ...(['digitalSignature', 'keyAgreement', 'keyEncipherment', 'certSign'] as const).map((usage) =>
      line(`leaf that may ${usage}`, lone, leafOf(root, { usages: [usage] })),
    ),
    line('intermediate that is no CA', byRoot, leafOf(noCa), noCa),
    line('intermediate without constraints', byRoot, leafOf(noConstraints), noConstraints),
    under('intermediate that may not sign', { usages: ['crlSign'] }),
    under('intermediate that says nothing of usages', { usages: null }),
    line('no CA as anchor', trusting(noCa), leafOf(noCa)),
    line('path length kept', byRoot, leafOf(short), short),
    line('path length exceeded', byRoot, leafOf(belowMiddle), belowMiddle, short),
    line("anchor's path length exceeded", trusting(shortRoot), leafOf(belowShort), belowShort),
    line('CA as leaf', lone, mid),
    line('unknown critical extension', lone, leafOf(root, { extensions: [extension('1.2.3.4', true, integer(1))] })),
    line('unknown extension', byRoot, leafOf(root, { extensions: [extension('1.2.3.4', false, integer(1))] })),
    under('unknown critical extension in the intermediate', { extensions: [extension('1.2.3.4', true, integer(1))] }),
    line('unknown critical extension in the anchor', trusting(strangeRoot), leafOf(strangeRoot)),
    line(
      'an extension twice',
      lone,
      leafOf(root, {
        sans: ['dns:a.test'],
        extensions: [extension('2.5.29.17', false, sequence(generalName('dns:a.test')))],
      }),
    ),
    line(
      'path length of no CA',
      lone,
      leafOf(root, { ca: null, extensions: [extension('2.5.29.19', true, sequence(integer(1)))] }),
    ),
    line('version 1 leaf', byRoot, leafOf(root, { version: 1 })),
    line('version 1 root', trusting(oldRoot), leafOf(oldRoot)),
    line('version 1 intermediate', byRoot, leafOf(oldMid), oldMid),
    ...(['p384', 'p521', 'ed25519', 'rsa1024', 'rsa2048'] as const).map((keys) =>
      ({ ...line(`${keys} leaf`, byRoot, leafOf(root, { keys })), required: true }),
    ),
    under('rsa2048 intermediate', { keys: 'rsa2048' }),
    under('p384 intermediate', { keys: 'p384' }),
  ];
}

function depths(): MtlsCase[] {
  const deepest = caOf(low, { name: 'deepest' });
  const viaDeepest = leafOf(deepest);
  return [0, 1, 2, 3].flatMap((depth) => {
    const policy = { ...byRoot, max_verify_depth: depth };
    return [
      line(`depth ${depth}, no intermediate`, policy, direct),
      line(`depth ${depth}, one intermediate`, policy, viaMid, mid),
      line(`depth ${depth}, two intermediates`, policy, viaLow, low, mid),
      line(`depth ${depth}, three intermediates`, policy, viaDeepest, deepest, low, mid),
    ];
  });
}

function constraints(): MtlsCase[] {
  const limited = (permitted: string[], excluded: string[]): Partial<MadeOptions> => ({
    extensions: [nameConstraints(permitted, excluded)],
  });
  const anchor = make({ name: 'limited root', ca: true, ...limited(['dns:ok.test'], []) });
  const policyConstraints = extension('2.5.29.36', true, sequence(der(0x80, Buffer.from([0]))));
  const policies = extension('2.5.29.32', false, sequence(sequence(oid('1.2.3.9'))));
  return [
    under('permitted DNS name', limited(['dns:ok.test'], []), { sans: ['dns:a.ok.test'] }),
    under('DNS name outside', limited(['dns:ok.test'], []), { sans: ['dns:a.bad.test'] }),
    under('one of two DNS names outside', limited(['dns:ok.test'], []), { sans: ['dns:ok.test', 'dns:notok.test'] }),
    under('excluded DNS name', limited([], ['dns:bad.test']), { sans: ['dns:A.BAD.test'] }),
    under('excluded by wildcard', limited([], ['dns:x.bad.test']), { sans: ['dns:*.bad.test'] }),
    under('permitted other kind', limited(['dns:ok.test'], []), { sans: ['uri:https://elsewhere.test/'] }),
    under('permitted URI', limited(['uri:.ok.test'], []), { sans: ['uri:spiffe://a.ok.test/x'] }),
    under('URI outside', limited(['uri:.ok.test'], []), { sans: ['uri:spiffe://ok.test/x'] }),
    under('permitted e-mail', limited(['email:ok.test'], []), { sans: ['email:a@ok.test'] }),
    under('e-mail outside', limited(['email:ok.test'], []), { sans: ['email:a@sub.ok.test'] }),
    under('constraint on addresses', limited(['ip:10.0.0.0.255.0.0.0'], []), { sans: ['ip:10.0.0.1'] }),
    under('permitted directory name', limited(['dir:leaf'], [])),
    under('directory name outside', limited(['dir:chief'], [])),
    under('constraint, no names, subject like a host', limited(['dns:ok.test'], []), { name: 'host.ok.test' }),
    under('constraint, no names', limited(['dns:ok.test'], []), { name: 'just a name' }),
    line("anchor's constraint broken", trusting(anchor), leafOf(anchor, { sans: ['dns:a.bad.test'] })),
    line("anchor's constraint kept", trusting(anchor), leafOf(anchor, { sans: ['dns:a.ok.test'] })),
    under('policy asked for, none there', { extensions: [policyConstraints] }),
    under('policy asked for, there', { extensions: [policyConstraints, policies] }, { extensions: [policies] }),
    under('policy asked for, the leaf has none', { extensions: [policyConstraints, policies] }),
  ];
}

function names(): MtlsCase[] {
  const named = leafOf(root, {
    sans: [
      'dns:a.test',
      'dns:*.wild.test',
      'dns:x*.part.test',
      'uri:spiffe://td/ns/a',
      'email:ann@a.test',
      'ip:10.0.0.1',
      'other:1.3.6.1.4.1.311.20.2.3=upn@a.test',
    ],
  });
  const asking = (san_type: string, matcher: Policy, more: Policy = {}): Policy => ({
    ...byRoot,
    match_typed_subject_alt_names: [{ san_type, matcher, ...more }],
  });
  const upn = { oid: '1.3.6.1.4.1.311.20.2.3' };
  const asks: readonly [string, Policy][] = [
    ['DNS exact', asking('DNS', { exact: 'a.test' })],
    ['DNS exact, case', asking('DNS', { exact: 'A.test' })],
    ['DNS exact, other', asking('DNS', { exact: 'b.test' })],
    ['DNS under the wildcard', asking('DNS', { exact: 'y.wild.test' })],
    ['DNS two labels under the wildcard', asking('DNS', { exact: 'z.y.wild.test' })],
    ['DNS the wildcard itself', asking('DNS', { exact: '*.wild.test' })],
    ['DNS partial wildcard', asking('DNS', { exact: 'xyz.part.test' })],
    ['DNS partial wildcard, not', asking('DNS', { exact: 'yz.part.test' })],
    ['DNS prefix', asking('DNS', { prefix: 'a.' })],
    ['DNS suffix', asking('DNS', { suffix: '.wild.test' })],
    ['DNS contains', asking('DNS', { contains: 'part' })],
    ['DNS regex', asking('DNS', { safe_regex: { regex: '[a-c]\\.test' } })],
    ['DNS regex is for the whole', asking('DNS', { safe_regex: { regex: 'a' } })],
    ['DNS suffix, case ignored', asking('DNS', { suffix: '.WILD.test', ignore_case: true })],
    ['DNS suffix, case', asking('DNS', { suffix: '.WILD.test' })],
    ['URI exact', asking('URI', { exact: 'spiffe://td/ns/a' })],
    ['URI prefix', asking('URI', { prefix: 'spiffe://td/' })],
    ['URI, a DNS name asked', asking('URI', { exact: 'a.test' })],
    ['EMAIL exact', asking('EMAIL', { exact: 'ann@a.test' })],
    ['EMAIL suffix, other', asking('EMAIL', { suffix: '@b.test' })],
    ['IP exact', asking('IP_ADDRESS', { exact: '10.0.0.1' })],
    ['IP prefix', asking('IP_ADDRESS', { prefix: '10.' })],
    ['IP other', asking('IP_ADDRESS', { exact: '10.0.0.2' })],
    ['OTHER_NAME', asking('OTHER_NAME', { exact: 'upn@a.test' }, upn)],
    ['OTHER_NAME of another kind', asking('OTHER_NAME', { exact: 'upn@a.test' }, { oid: '1.2.3' })],
    ['untyped', { ...byRoot, match_subject_alt_names: [{ exact: 'ann@a.test' }] }],
    ['untyped, other name', { ...byRoot, match_subject_alt_names: [{ exact: 'upn@a.test' }] }],
    ['untyped, wildcard', { ...byRoot, match_subject_alt_names: [{ exact: 'q.wild.test' }] }],
    [
      'second of two',
      {
        ...byRoot,
        match_typed_subject_alt_names: [
          { san_type: 'DNS', matcher: { exact: 'no.test' } },
          { san_type: 'URI', matcher: { suffix: '/a' } },
        ],
      },
    ],
  ];
  return [
    ...asks.map(([name, policy]) => line(`name: ${name}`, policy, named)),
    line('name asked, the leaf has none', asking('DNS', { exact: 'leaf' }), direct),
    line('name right, chain wrong', asking('DNS', { exact: 'a.test' }), leafOf(other, { sans: ['dns:a.test'] })),
  ];
}

function pins(): MtlsCase[] {
  const hex = (certificate: MadeCertificate): string => createHash('sha256').update(certificate.der).digest('hex');
  const spki = (certificate: MadeCertificate): string =>
    createHash('sha256')
      .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
      .digest('base64');
  const colons = hex(direct).toUpperCase().match(/../g)!.join(':');
  const wrong = '00'.repeat(32);
  return [
    line('pin without CA', { verify_certificate_hash: [hex(selfSigned)] }, selfSigned),
    line('wrong pin without CA', { verify_certificate_hash: [wrong] }, selfSigned),
    line('pin with colons', { ...byRoot, verify_certificate_hash: [colons] }, direct),
    line('second pin', { ...byRoot, verify_certificate_hash: [wrong, hex(direct)] }, direct),
    line('pin of the intermediate', { ...byRoot, verify_certificate_hash: [hex(mid)] }, viaMid, mid),
    line('right pin, wrong chain', { ...byRoot, verify_certificate_hash: [hex(selfSigned)] }, selfSigned),
    line('key pin without CA', { verify_certificate_spki: [spki(selfSigned)] }, selfSigned),
    line('key pin', { ...byRoot, verify_certificate_spki: [spki(direct)] }, direct),
    line('wrong key pin', { ...byRoot, verify_certificate_spki: [spki(other)] }, direct),
    line(
      'wrong pin, right key pin',
      { ...byRoot, verify_certificate_hash: [wrong], verify_certificate_spki: [spki(direct)] },
      direct,
    ),
    line(
      'right pin, wrong key pin',
      { ...byRoot, verify_certificate_hash: [hex(direct)], verify_certificate_spki: [spki(other)] },
      direct,
    ),
    line('expired, pinned without CA', { verify_certificate_hash: [hex(oldLeaf)] }, oldLeaf),
    line(
      'right pin, wrong name',
      {
        ...byRoot,
        verify_certificate_hash: [hex(direct)],
        match_typed_subject_alt_names: [{ san_type: 'DNS', matcher: { exact: 'no.test' } }],
      },
      direct,
    ),
    line('pin asked, no certificate', { verify_certificate_hash: [wrong] }),
  ];
}
const oldLeaf = make({ name: 'old self', from: -9, until: -1 });

function requirements(): MtlsCase[] {
  const lax = { trust_chain_verification: 'ACCEPT_UNTRUSTED' };
  const wrongName = { match_typed_subject_alt_names: [{ san_type: 'DNS', matcher: { exact: 'no.test' } }] };
  const wrongPin = { verify_certificate_hash: ['00'.repeat(32)] };
  const need = (one: MtlsCase): MtlsCase => ({ ...one, name: `${one.name}, required`, required: true });
  const both = (one: MtlsCase): MtlsCase[] => [one, need(one)];
  return [
    ...both(line('no context, no certificate', null)),
    ...both(line('no context, a certificate', null, selfSigned)),
    ...both(line('empty context, no certificate', {})),
    ...both(line('empty context, a certificate', {}, selfSigned)),
    ...both(line('CA, no certificate', byRoot)),
    ...both(line('name, no certificate', { ...byRoot, ...wrongName })),
    ...both(line('lax, no certificate', { ...byRoot, ...lax })),
    ...both(line('lax with name and pin, no certificate', { ...byRoot, ...lax, ...wrongName, ...wrongPin })),
    ...both(line('lax without CA, no certificate', lax)),
    line('lax, good chain', { ...byRoot, ...lax }, direct),
    line('lax, unknown root', { ...byRoot, ...lax }, leafOf(other)),
    line('lax, expired', { ...byRoot, ...lax }, leafOf(root, { from: -9, until: -1 })),
    line('lax, wrong name', { ...byRoot, ...lax, ...wrongName }, direct),
    line('lax, wrong pin', { ...byRoot, ...lax, ...wrongPin }, direct),
    line('lax without CA', lax, selfSigned),
    line('lax without CA, wrong pin', { ...lax, ...wrongPin }, selfSigned),
  ];
}

function revocation(): MtlsCase[] {
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
    line('the same, leaf only', { ...asking(rootCrl), ...onlyLeaf }, viaMid, mid),
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
    line('the same, leaf only', { ...trusting(mid), crl: { inline_string: midCrl }, ...onlyLeaf }, viaMid),
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

function spiffe(): MtlsCase[] {
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

/** Every line of the table. */
export function mtlsCases(): MtlsCase[] {
  return [
    ...chains(),
    ...dates(),
    ...usages(),
    ...depths(),
    ...constraints(),
    ...names(),
    ...pins(),
    ...requirements(),
    ...revocation(),
    ...spiffe(),
  ];
}

/** The server's own certificate. */
export const serverCertificate: MadeCertificate = make({
  name: 'server.test',
  sans: ['dns:server.test'],
  usages: ['digitalSignature'],
});
