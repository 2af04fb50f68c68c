import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { test } from 'node:test';
import { loadLimitConfig } from '#ratelimit/config/config-loader.ts';
import { decodeYaml } from '#ratelimit/config/decode-yaml.ts';
import { StatsStore } from '#ratelimit/limiter/stats-store.ts';
import { describeConfig } from '#ratelimit/service/debug-api.ts';
import { findPeer, firstMissing, peerTest } from '#test/support/peers.ts';
import { referenceBuild } from '../support/reference-build.ts';
import { startReferenceLoader } from '../support/reference-loader.ts';
import { goodCases, hostileCases, ruleCases, syntaxCases, typeCases, type ValidationCase } from './validation-cases.ts';

const file = 'config.a.yaml';

interface Loaded {
  readonly error: string | null;
  readonly rules: readonly string[];
}

function load(yaml: string | Uint8Array): Loaded {
  try {
    const text = typeof yaml === 'string' ? yaml : decodeYaml(file, yaml);
    const config = loadLimitConfig([{ name: file, text }], false, new StatsStore());
    return { error: null, rules: describeConfig(config).split('\n').sort() };
  } catch (error) {
    assert.equal((error as Error).name, 'LimitConfigError', String(error));
    return { error: (error as Error).message, rules: [] };
  }
}

function assertMessage(error: string | null, { message }: ValidationCase): void {
  if (message === null) assert.equal(error, null);
  else if (/^line \d+$/.test(message)) {
    assert.ok(error?.startsWith(`${file}: error loading config file: yaml: ${message}: `), `${error}`);
  } else assert.ok(error?.startsWith(`${file}: ${message}`), `${error}`);
}

const exact = [...ruleCases, ...typeCases, ...goodCases];
const all = [...exact, ...syntaxCases, ...hostileCases];

for (const each of all) {
  test(`validation: ${each.name}`, () => {
    const { error } = load(each.yaml);
    assertMessage(error, each);
    if (exact.includes(each) && each.message !== null) assert.equal(error, `${file}: ${each.message}`);
  });
}

peerTest(firstMissing('reference-ratelimit', 'redis-server'), 'the reference says the same of every file', async () => {
  const reference = findPeer('reference-ratelimit')!;
  const build = await referenceBuild(reference);
  const loader = await startReferenceLoader(reference);
  const wrong: string[] = [];
  try {
    for (const each of all) {
      if (each.newer === true && !build.metadata) continue;
      const [ours, theirs] = [load(each.yaml), await loader.load({ 'a.yaml': each.yaml })];
      // Older builds know a star at the end only.
      const theirError = theirs.error?.replace("(ending with '*')", "(containing '*')") ?? null;
      const same = exact.includes(each)
        ? theirError === ours.error
        : (theirError === null) === (ours.error === null) && isSameLine(ours.error ?? '', theirError ?? '');
      if (!same) wrong.push(`${each.name}\n  ours:   ${ours.error}\n  theirs: ${theirs.error}`);
      else if (ours.error === null && ours.rules.join('\n') !== theirs.rules.join('\n')) {
        wrong.push(`${each.name}\n  ours:   ${ours.rules.slice(0, 9)}\n  theirs: ${theirs.rules.slice(0, 9)}`);
      }
    }
  } finally {
    await loader.close();
  }
  assert.equal(wrong.length, 0, wrong.join('\n'));
});

/**
 * Their scanner counts lines from 1, their parser from 0, and both leave the first line out; ours counts from 1, and says
 * where it can what theirs says without a line.
 */
function isSameLine(ours: string, theirs: string): boolean {
  const lineOf = (error: string): number | null => Number(/yaml: line (\d+)/.exec(error)?.[1] ?? '0') || null;
  const [own, other] = [lineOf(ours), lineOf(theirs)];
  return own === other || other === null || own === other + 1;
}

test('an anchor that contains itself and nesting without end are refused', () => {
  const own = load('domain: d\ndescriptors: &a\n- { key: k, descriptors: *a }').error;
  assert.equal(own, `${file}: error loading config file: yaml: anchor 'a' value contains itself`);
  const deep = load(`domain: d\ndescriptors: ${'['.repeat(100_000)}`).error;
  assert.equal(deep, `${file}: error loading config file: yaml: the nesting is too deep`);
});

test('ten thousand descriptors are read, and ten thousand uses of an alias are no bomb', () => {
  const plain = Array.from({ length: 10_000 }, (_, i) => `- { key: k, value: v${i}, rate_limit: { unit: day } }`).join(
    '\n',
  );
  assert.equal(load(`domain: d\ndescriptors:\n${plain}`).rules.length, 10_001);
  const uses = Array.from({ length: 10_000 }, (_, i) => `- { key: k, value: v${i}, rate_limit: *l }`).join('\n');
  const yaml = `domain: d\ndescriptors:\n- { key: k, rate_limit: &l { unit: day, requests_per_unit: 1 } }\n${uses}`;
  assert.equal(load(yaml).rules.length, 10_002);
});

test('UTF-16 with a byte order mark is read', () => {
  const text = 'domain: d\ndescriptors: [{ key: ü, rate_limit: { unit: day } }]';
  const littleEndian = Buffer.from(`\uFEFF${text}`, 'utf16le');
  const bigEndian = Buffer.from(littleEndian).swap16();
  for (const octets of [littleEndian, bigEndian]) assert.equal(load(octets).rules.at(-1)!.startsWith('d.ü:'), true);
});
