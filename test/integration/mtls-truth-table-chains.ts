import { Buffer } from 'node:buffer';
import { der, integer, oid, sequence } from '#test/support/der-writer.ts';
import {
  commonName,
  extension,
  generalName,
  type MadeCertificate,
  type MadeOptions,
  make,
} from '#test/support/made-certificates.ts';
import {
  apart,
  byRoot,
  caOf,
  direct,
  leafOf,
  line,
  lone,
  low,
  type MtlsCase,
  mid,
  other,
  root,
  selfSigned,
  trusting,
  under,
  viaLow,
  viaMid,
} from './mtls-truth-table-world.ts';

/** Paths from leaf to anchor. */
export function chains(): MtlsCase[] {
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

/** Dates. */
export function dates(): MtlsCase[] {
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

/** What certificates may be used for. */
export function usages(): MtlsCase[] {
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
    ...(['p384', 'p521', 'ed25519', 'rsa1024', 'rsa2048'] as const).map((keys) => ({
      ...line(`${keys} leaf`, byRoot, leafOf(root, { keys })),
      required: true,
    })),
    under('rsa2048 intermediate', { keys: 'rsa2048' }),
    under('p384 intermediate', { keys: 'p384' }),
  ];
}

/** Depth. */
export function depths(): MtlsCase[] {
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

/** Oddities of encoding. */
export function oddities(): MtlsCase[] {
  const expired = leafOf(root, { from: -9, until: -1 });
  const forServers = leafOf(root, { purposes: ['server'] });
  const keyOf = (...fields: readonly Uint8Array[]): Partial<MadeOptions> => ({
    noKeyIds: true,
    extensions: [extension('2.5.29.35', false, sequence(...fields))],
  });
  const serial = (of: MadeCertificate, plus = 0): Buffer => der(0x82, integer(of.serial + plus).subarray(2));
  const issuedBy = (name: string): Buffer => der(0xa1, generalName(`dir:${name}`));
  const odd = (id: string, critical: boolean, value: Uint8Array): Partial<MadeOptions> => ({
    ca: null,
    extensions: [extension(id, critical, value)],
  });
  const leaves: readonly (readonly [string, Partial<MadeOptions>])[] = [
    ['authority key: serial number', keyOf(serial(root))],
    ['authority key: another serial number', keyOf(serial(root, 1))],
    ['authority key: name and serial number', keyOf(issuedBy('root'), serial(root))],
    ['authority key: another name', keyOf(issuedBy('other root'), serial(root))],
    ['authority key: another key', keyOf(der(0x80, other.keyId))],
    ['authority key: empty', keyOf()],
    ['authority key: malformed', { noKeyIds: true, extensions: [extension('2.5.29.35', false, integer(1))] }],
    ['authority key: critical', { noKeyIds: true, extensions: [extension('2.5.29.35', true, sequence())] }],
    ['subject key: malformed', { noKeyIds: true, extensions: [extension('2.5.29.14', false, integer(1))] }],
    ['no subject', { subject: sequence() }],
    ['a purpose list without any', odd('2.5.29.37', false, sequence())],
    ['a critical purpose list', odd('2.5.29.37', true, sequence(oid('1.3.6.1.5.5.7.3.2')))],
    ['a malformed purpose list', odd('2.5.29.37', false, integer(1))],
    ['key usage without bits', odd('2.5.29.15', true, der(0x03, Buffer.from([0])))],
    ['malformed key usage', odd('2.5.29.15', true, integer(1))],
    ['malformed names', odd('2.5.29.17', false, integer(1))],
    ['no names in the list', odd('2.5.29.17', false, sequence())],
    ['an address of three octets', odd('2.5.29.17', false, sequence(der(0x87, Buffer.from([1, 2, 3]))))],
    ['critical names', odd('2.5.29.17', true, sequence(generalName('dns:a.test')))],
    [
      'a negative path length',
      odd('2.5.29.19', true, sequence(der(0x01, Buffer.from([0xff])), der(0x02, Buffer.from([0xff])))),
    ],
    ['an endless path length', odd('2.5.29.19', true, sequence(der(0x01, Buffer.from([0xff])), integer(2 ** 40)))],
    ['basic constraints with a rest', odd('2.5.29.19', true, Buffer.concat([sequence(), integer(1)]))],
    ['a malformed distribution point', odd('2.5.29.31', false, integer(1))],
    ['a critical distribution point', odd('2.5.29.31', true, sequence())],
    ['malformed policies', odd('2.5.29.32', false, integer(1))],
    ['no policies in the list', odd('2.5.29.32', false, sequence())],
    ['a policy twice', odd('2.5.29.32', false, sequence(sequence(oid('1.2.3')), sequence(oid('1.2.3'))))],
    ['malformed name constraints', odd('2.5.29.30', true, integer(1))],
    [
      'an unknown extension twice',
      { extensions: [extension('1.2.3', false, integer(1)), extension('1.2.3', false, integer(2))] },
    ],
  ];
  return [
    line('expired leaf as anchor', trusting(expired), expired),
    line('leaf for servers as anchor', trusting(forServers), forServers),
    ...leaves.map(([name, more]) => line(name, lone, leafOf(root, more))),
  ];
}
