import assert from 'node:assert/strict';
import { env } from 'node:process';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { loadLimitConfig } from '#ratelimit/config/config-loader.ts';
import { StatsStore } from '#ratelimit/limiter/stats-store.ts';
import { describeConfig } from '#ratelimit/service/debug-api.ts';
import { Dice, seedOfRun } from '#test/support/dice.ts';
import { ownRuntime } from '#test/support/gateway-process.ts';
import { findPeer, firstMissing, peerTest } from '#test/support/peers.ts';
import { referenceBuild } from '../support/reference-build.ts';
import { startReferenceLoader } from '../support/reference-loader.ts';

const lines: readonly string[] = `domain: d
descriptors:
- key: a
  value: v
  rate_limit: &limit
    unit: minute
    requests_per_unit: 5
    name: one
- key: b
  shadow_mode: yes
  rate_limit:
    <<: *limit
    unit: hour
    replaces:
    - name: two
  descriptors:
  - key: c
    value: x*
    share_threshold: true
    rate_limit: { unit: day, requests_per_unit: 0x10 }
  - { key: e, value_to_metric: true, rate_limit: { unlimited: true } }
- key: f
  detailed_metric: true
  rate_limit: *limit`.split('\n');

const scalars = [
  '',
  '~',
  'null',
  'yes',
  'No',
  'on',
  'y',
  'true',
  "'true'",
  '5',
  "'5'",
  '-5',
  '+5',
  '5.0',
  '1e3',
  '1_000',
  '0x1f',
  '0b11',
  '017',
  '08',
  '0o17',
  '4294967295',
  '4294967296',
  '.5',
  '.inf',
  '2001-01-01',
  '2001-01-01 10:00:00',
  '12:30:45',
  '1:20',
  '"a\\tb"',
  "'it''s'",
  'a b',
  'a#b',
  'a #b',
  '*limit',
  '*nobody',
  '&x y',
  '!!str 5',
  '!!int 5',
  '!!int "5"',
  '[]',
  '{}',
  '[a]',
  '[{ name: x }]',
  '{ name: x }',
  '- x',
  '|',
  '>',
  '=',
  '<<',
  '"\\u00fc"',
  'ü',
  '@a',
  '`a',
  '%a',
  '? a',
  'a: b',
  ', a',
  '"',
  "'",
]; // prettier-ignore

/** Not what has fields: of two in one descriptor the reference reads both. */
const repeatable = lines.filter((line) => !/rate_limit|descriptors/.test(line));

/** Changes a few places of the file. */
function mutate(dice: Dice): string {
  const file = [...lines];
  for (let n = 1 + dice.below(3); n > 0; n--) {
    const at = dice.below(file.length);
    const line = file[at]!;
    const kind = dice.below(8);
    if (kind < 4) file[at] = line.replace(/(:) ?[^:{]*$/, (_all, colon: string) => `${colon} ${dice.pick(scalars)}`);
    else if (kind === 4) file.splice(at, 1);
    else if (kind === 5) file.splice(at, 0, dice.pick(repeatable));
    else if (kind === 6) file[at] = dice.chance(0.5) ? ` ${line}` : line.slice(1);
    else
      file[at] = line.replace(/[a-z_]+(?=:)/, () =>
        dice.pick(['key', 'value', 'unit', 'name', 'Key', 'metadata', '1', '~']),
      );
  }
  return file.join('\n');
}

const seed = seedOfRun(env);
/** All of them on one runtime: what is read, and how, is the same code on the others. */
const files = ownRuntime === 'bun' ? 400 : 100;

peerTest(
  firstMissing('reference-ratelimit', 'redis-server'),
  `${files} files with mistakes are taken or refused as the reference does (SLUICE_SEED=${seed})`,
  async () => {
    const reference = findPeer('reference-ratelimit')!;
    const { metadata } = await referenceBuild(reference);
    const loader = await startReferenceLoader(reference);
    const dice = new Dice(createSeededRandom(seed));
    const wrong: string[] = [];
    try {
      for (let i = 0; i < files; i++) {
        const text = mutate(dice);
        if (!metadata && text.includes('metadata')) continue;
        let ours: { error: string | null; rules: readonly string[] };
        try {
          const config = loadLimitConfig([{ name: 'config.a.yaml', text }], false, new StatsStore());
          ours = { error: null, rules: describeConfig(config).split('\n').sort() };
        } catch (error) {
          ours = { error: (error as Error).message, rules: [] };
        }
        const theirs = await loader.load({ 'a.yaml': text });
        // A line further out than the first ends the document for the reference, which ignores all that follows.
        if (ours.error?.includes('line 2: Unexpected scalar at node end') === true) continue;
        // Of several mistakes each tells another one first.
        const same = (ours.error === null) === (theirs.error === null);
        if (!same || (ours.error === null && ours.rules.join('\n') !== theirs.rules.join('\n'))) {
          wrong.push(`${text}\n  ours:   ${ours.error ?? ours.rules}\n  theirs: ${theirs.error ?? theirs.rules}\n`);
        }
      }
    } finally {
      await loader.close();
    }
    assert.equal(wrong.length, 0, wrong.join('\n'));
  },
);
