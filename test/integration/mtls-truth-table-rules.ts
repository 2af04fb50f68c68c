import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { der, integer, oid, sequence } from '#test/support/der-writer.ts';
import {
  extension,
  type MadeCertificate,
  type MadeOptions,
  make,
  nameConstraints,
} from '#test/support/made-certificates.ts';
import {
  byRoot,
  direct,
  leafOf,
  line,
  lone,
  type MtlsCase,
  mid,
  other,
  type Policy,
  root,
  selfSigned,
  trusting,
  under,
  viaMid,
} from './mtls-truth-table-world.ts';

/** Name constraints and policies. */
export function constraints(): MtlsCase[] {
  const limited = (permitted: string[], excluded: string[]): Partial<MadeOptions> => ({
    extensions: [nameConstraints(permitted, excluded)],
  });
  const anchor = make({ name: 'limited root', ca: true, ...limited(['dns:ok.test'], []) });
  const policyConstraints = extension('2.5.29.36', true, sequence(der(0x80, Buffer.from([0]))));
  const asking = (tag: number, below: number): Buffer =>
    extension('2.5.29.36', true, sequence(der(tag, Buffer.from([below]))));
  const anyPolicy = extension('2.5.29.32', false, sequence(sequence(oid('2.5.29.32.0'))));
  const noAny = extension('2.5.29.54', true, integer(0));
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
    under('policy asked for below, the leaf has none', { extensions: [asking(0x80, 1), policies] }),
    under('policy asked for far below, the leaf has none', { extensions: [asking(0x80, 2), policies] }),
    under('any policy, of the leaf', { extensions: [policyConstraints, policies] }, { extensions: [anyPolicy] }),
    under(
      'any policy, of the intermediate',
      { extensions: [policyConstraints, anyPolicy] },
      { extensions: [policies] },
    ),
    under('any policy inhibited', { extensions: [policyConstraints, policies, noAny] }, { extensions: [anyPolicy] }),
    under('policy asked for by the leaf', {}, { extensions: [policyConstraints] }, lone),
    under('empty policy constraints', { extensions: [extension('2.5.29.36', true, sequence())] }),
    under('policy asked for, the leaf has none', { extensions: [policyConstraints, policies] }),
  ];
}

/** Alternative names. */
export function names(): MtlsCase[] {
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

/** Pins. */
export function pins(): MtlsCase[] {
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

/** Required, optional and lax. */
export function requirements(): MtlsCase[] {
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
