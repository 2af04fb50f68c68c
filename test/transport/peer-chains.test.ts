import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PeerChains } from '#gateway/transport/peer-chains.ts';
import { Certificate } from '#gateway/transport/validator/certificate.ts';
import { findPath } from '#gateway/transport/validator/find-path.ts';
import type { PathRules } from '#gateway/transport/validator/path-rules.ts';
import { TrustStore } from '#gateway/transport/validator/trust-store.ts';
import { type MadeCertificate, make } from '#test/support/made-certificates.ts';

const root = make({ name: 'root', ca: true });
const mid = make({ name: 'mid', ca: true, issuer: root });
const low = make({ name: 'low', ca: true, issuer: mid });
const leaf = make({ name: 'leaf', issuer: low });
const other = make({ name: 'other leaf', issuer: low });
const octets = (...list: readonly MadeCertificate[]): Uint8Array[] => list.map((one) => new Uint8Array(one.der));
const rules = (anchor: MadeCertificate): PathRules => ({
  store: new TrustStore([new Certificate(new Uint8Array(anchor.der))], []),
  partialChains: true,
  allowExpired: false,
  maxDepth: 100,
  peer: 'client',
  revocation: 'none',
});
const path = (chain: readonly Certificate[] | null, by = rules(root)): string[] =>
  (findPath(chain![0]!, chain!, by, Date.now()).path ?? []).map((certificate) => certificate.commonName);

describe('PeerChains', () => {
  it('lends a resumed leaf the intermediates of accepted chains, and a full handshake none', () => {
    const chains = new PeerChains();
    const sent = chains.parse(octets(leaf, low, mid), false)!;
    chains.remember(findPath(sent[0]!, sent, rules(root), Date.now()).path!);
    assert.deepEqual(path(chains.parse(octets(leaf), true)), ['leaf', 'low', 'mid', 'root']);
    assert.deepEqual(path(chains.parse(octets(other), true)), ['other leaf', 'low', 'mid', 'root']);
    assert.deepEqual(path(chains.parse(octets(leaf), false)), []);
    // Another authority is trusted by now: what was good then is not.
    assert.deepEqual(path(chains.parse(octets(leaf), true), rules(make({ name: 'root', ca: true }))), []);
  });

  it('tells of the chain that was sent, or of the path where a session kept the leaf only', () => {
    const chains = new PeerChains();
    const sent = octets(leaf, low, mid);
    const parsed = chains.parse([...sent, ...octets(root)], false)!;
    assert.deepEqual(chains.shown(sent, false, parsed), sent);
    assert.deepEqual(chains.shown(octets(leaf), true, parsed), sent);
    assert.deepEqual(chains.shown(octets(leaf), true, []), octets(leaf));
  });

  it('knows who comes again, and forgets the longest unseen', () => {
    const chains = new PeerChains();
    const [first] = chains.parse(octets(leaf), false)!;
    chains.remember([first!, first!]);
    assert.equal(chains.parse(octets(leaf), false)![0], first);
    for (let i = 0; i < 256; i++) {
      const [next] = chains.parse(octets(make({ name: `client ${i}`, issuer: low })), false)!;
      chains.remember([next!, next!]);
    }
    assert.notEqual(chains.parse(octets(leaf), false)![0], first);
  });

  it('malformed certificates make no chain', () => {
    const chains = new PeerChains();
    assert.equal(chains.parse([...octets(leaf), new Uint8Array([1, 2, 3])], false), null);
    assert.deepEqual(chains.parse([], false), []);
  });
});
