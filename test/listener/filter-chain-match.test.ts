import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { parseIp } from '#gateway/base/ip.ts';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { compileChainMatch, matchesEverything } from '#gateway/listener/compile-chain-match.ts';
import { type ChainInputs, type ChainStep, chooseFilterChain } from '#gateway/listener/filter-chain-match.ts';
import { messageSchema } from '#gateway/proto/registry.ts';
import type { FilterChainMatch } from '#proto-types/envoy/config/listener/v3/listener_components_pb.ts';

type Init = Record<string, unknown>;

function criteria(init: Init) {
  const schema = messageSchema<FilterChainMatch>('envoy.config.listener.v3.FilterChainMatch');
  return compileChainMatch(create(schema, init as object) as FilterChainMatch, new Diagnostics());
}

const cidr = (addressPrefix: string, prefixLen: number): Init => ({ addressPrefix, prefixLen });

interface From {
  readonly to?: string;
  readonly port?: number;
  readonly sni?: string;
  readonly transport?: string;
  readonly alpn?: readonly string[];
  readonly from?: string;
  readonly direct?: string;
  readonly fromPort?: number;
}

function inputs(at: From): ChainInputs {
  const ip = (text: string) => (text === 'pipe' ? null : parseIp(text)!);
  return {
    destinationIp: ip(at.to ?? '10.0.0.1'),
    destinationPort: at.port ?? 443,
    serverName: at.sni ?? '',
    transportProtocol: at.transport ?? 'tls',
    applicationProtocols: at.alpn ?? [],
    sourceIp: ip(at.from ?? '192.0.2.9'),
    directSourceIp: ip(at.direct ?? at.from ?? '192.0.2.9'),
    sourcePort: at.fromPort ?? 5000,
  };
}

const cases: readonly { name: string; chains: Init[]; at: From; want: number }[] = [
  { name: 'a chain without criteria takes everything', chains: [{}], at: {}, want: 0 },
  { name: 'port', chains: [{}, { destinationPort: 443 }], at: {}, want: 1 },
  {
    name: 'another port falls to the chain without',
    chains: [{}, { destinationPort: 443 }],
    at: { port: 80 },
    want: 0,
  },
  {
    name: 'the longest prefix',
    chains: [{ prefixRanges: [cidr('10.0.0.0', 8)] }, { prefixRanges: [cidr('10.0.0.0', 24), cidr('::1', 128)] }],
    at: {},
    want: 1,
  },
  {
    name: 'an IPv6 range',
    chains: [{ prefixRanges: [cidr('2001:db8::', 32)] }, {}],
    at: { to: '2001:db8::5' },
    want: 0,
  },
  {
    name: 'an IPv4 range is not for IPv6',
    chains: [{ prefixRanges: [cidr('0.0.0.0', 0)] }],
    at: { to: '::1' },
    want: -1,
  },
  {
    name: 'the exact name before the wildcard',
    chains: [{ serverNames: ['*.a.test'] }, { serverNames: ['x.a.test'] }],
    at: { sni: 'x.a.test' },
    want: 1,
  },
  {
    name: 'the longer wildcard',
    chains: [{ serverNames: ['*.test'] }, { serverNames: ['*.a.test'] }],
    at: { sni: 'y.x.a.test' },
    want: 1,
  },
  {
    name: 'a wildcard does not cover its own root',
    chains: [{ serverNames: ['*.a.test'] }],
    at: { sni: 'a.test' },
    want: -1,
  },
  { name: 'names are compared without case', chains: [{ serverNames: ['X.Test'] }], at: { sni: 'x.test' }, want: 0 },
  { name: '"*" is any name, none included', chains: [{ serverNames: ['*'] }], at: {}, want: 0 },
  { name: 'no SNI does not match a name', chains: [{ serverNames: ['a.test'] }, {}], at: {}, want: 1 },
  {
    name: 'transport protocol',
    chains: [{ transportProtocol: 'raw_buffer' }, { transportProtocol: 'tls' }],
    at: {},
    want: 1,
  },
  {
    name: "the client's first protocol decides",
    chains: [{ applicationProtocols: ['http/1.1'] }, { applicationProtocols: ['h2'] }, {}],
    at: { alpn: ['h2', 'http/1.1'] },
    want: 1,
  },
  { name: 'no common protocol', chains: [{ applicationProtocols: ['h2'] }, {}], at: { alpn: ['h3'] }, want: 1 },
  {
    name: 'direct source before source',
    chains: [{ sourcePrefixRanges: [cidr('192.0.2.0', 24)] }, { directSourcePrefixRanges: [cidr('198.51.100.0', 24)] }],
    at: { direct: '198.51.100.7' },
    want: 1,
  },
  { name: 'loopback is local', chains: [{ sourceType: 2 }, { sourceType: 1 }], at: { from: '127.0.0.1' }, want: 1 },
  {
    name: 'the same address is local',
    chains: [{ sourceType: 2 }, { sourceType: 1 }],
    at: { from: '10.0.0.1' },
    want: 1,
  },
  { name: 'others are external', chains: [{ sourceType: 1 }, { sourceType: 2 }], at: {}, want: 1 },
  {
    name: 'a unix socket is local',
    chains: [{ sourceType: 2 }, { sourceType: 1 }],
    at: { from: 'pipe', to: 'pipe' },
    want: 1,
  },
  { name: 'source port', chains: [{ sourcePorts: [1, 5000] }, {}], at: {}, want: 0 },
  {
    name: 'no way back: a more specific port keeps out a chain that would match later',
    chains: [{ destinationPort: 443, serverNames: ['a.test'] }, { serverNames: ['b.test'] }],
    at: { sni: 'b.test' },
    want: -1,
  },
  {
    name: 'no way back from an exact name either',
    chains: [{ serverNames: ['a.test'], applicationProtocols: ['h2'] }, { serverNames: ['*.test'] }],
    at: { sni: 'a.test', alpn: ['http/1.1'] },
    want: -1,
  },
];

describe('chooseFilterChain', () => {
  for (const { name, chains, at, want } of cases) {
    it(name, () => {
      assert.equal(chooseFilterChain(chains.map(criteria), inputs(at)), want);
    });
  }

  it('tells its recorder why chains fell out', () => {
    const told: [number, ChainStep, string][] = [];
    const chains = [{ destinationPort: 80 }, { serverNames: ['a.test'] }, { serverNames: ['*.test'] }].map(criteria);
    const recorder = { onDropped: (...dropped: [number, ChainStep, string]) => void told.push(dropped) };
    assert.equal(chooseFilterChain(chains, inputs({ sni: 'a.test' }), recorder), 1);
    assert.deepEqual(told, [
      [0, 'destination_port', 'no_match'],
      [2, 'server_names', 'less_specific'],
    ]);
  });

  it('knows what needs no look', () => {
    assert.equal(matchesEverything(criteria({})), true);
    assert.equal(matchesEverything(criteria({ serverNames: ['*'] })), true);
    assert.equal(matchesEverything(criteria({ sourcePorts: [1] })), false);
  });
});

describe('IP addresses', () => {
  it('parses what is one and nothing else', () => {
    assert.equal(parseIp('1.2.3.4')!.bits, 0x01020304n);
    assert.equal(parseIp('::')!.bits, 0n);
    assert.equal(parseIp('::ffff:1.2.3.4')!.bits, 0xffff01020304n);
    assert.equal(parseIp('1:2:3:4:5:6:7:8')!.bits, 0x00010002000300040005000600070008n);
    for (const bad of ['', '1.2.3', '1.2.3.256', '01.2.3.4', '1::2::3', ':::', '1:2:3:4:5:6:7', 'g::', '1.2.3.4:5']) {
      assert.equal(parseIp(bad), null, bad);
    }
  });
});
