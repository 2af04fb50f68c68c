import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Exemption } from '#ratelimit/admin/exemption.ts';
import { ExemptionList } from '#ratelimit/admin/exemption-list.ts';
import { windowStart } from '#ratelimit/config/limit-unit.ts';
import type { MemoryStore } from '#ratelimit/store/memory-store.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';
import { quotaWorld, RawStream, Replica, turn } from './support/quota-world.ts';

const year = 31_536_000;
const yaml = `
domain: d
descriptors:
  - { key: day, rate_limit: { unit: day, requests_per_unit: 100 } }
  - { key: bucket, rate_limit: { unit: hour, requests_per_unit: 100, algorithm: gcra } }
  - { key: second, rate_limit: { unit: second, requests_per_unit: 100 } }
  - { key: both, rate_limits: [{ unit: second, requests_per_unit: 100, name: s }, { unit: day, requests_per_unit: 50 }] }
  - { key: two, rate_limits: [{ unit: hour, requests_per_unit: 60 }, { unit: day, requests_per_unit: 100 }] }
  - { key: path, value: a*, share_threshold: true, rate_limit: { unit: day, requests_per_unit: 100 } }
  - { key: user, detailed_metric: true, rate_limit: { unit: day, requests_per_unit: 100 } }
`;

function dayKey(prefix: string, time: VirtualTime): string {
  return prefix + windowStart(Math.floor(time.wallMs() / 1000), 86_400);
}

/** Deletes a counter and tells the replicas, as the admin interface does. */
function reset(store: MemoryStore, replicas: readonly Replica[], key: string): void {
  store.forget(key);
  for (const { service } of replicas) service.onReset([key]);
}

function counted(store: MemoryStore, key: string, time: VirtualTime, seconds = 86_400): number {
  let count = -1;
  const start = windowStart(Math.floor(time.wallMs() / 1000), seconds);
  store.read(key, start, seconds, { onCounter: (_index, after) => (count = after), onCounterError: () => {} }, 0);
  return count;
}

test('a reset gives clients of all replicas the limit anew, and what they held of it counts no more', async () => {
  const { time, replicas, store } = quotaWorld(yaml, 2);
  const streams = replicas.map((replica) => new RawStream(replica));
  const key = dayKey('d_day_1_', time);
  for (const stream of streams) stream.report('d', ['day=1', 1, 0]);
  for (let i = 0; i < 4; i++) {
    await turn();
    time.advance(5000);
    for (const stream of streams) stream.report('', ['day=1', i === 3 ? 50 : 0, 100]);
  }
  await turn();
  assert.equal(counted(store, key, time), 100);
  for (const stream of streams) assert.equal(stream.news().at(-1), 'day=1: deny');
  reset(store, replicas, key);
  await turn();
  let given = 0;
  for (const stream of streams) given += Number(/(\d+) \+ 1 in/.exec(stream.news().at(-1) ?? '')?.[1] ?? 0);
  assert.ok(given > 0);
  assert.equal(counted(store, key, time), given, 'what was given is taken from the new counter, and nothing else');
});

test('a reset of a bucket that is not over charges what is held once', async () => {
  const { time, replicas, store } = quotaWorld(yaml);
  const stream = new RawStream(replicas[0]!);
  stream.report('d', ['day=1', 1, 0], ['bucket=1', 1, 0]);
  await turn();
  const key = dayKey('d_day_1_', time);
  assert.equal(counted(store, key, time), 51);
  stream.news();
  reset(store, replicas, key);
  reset(store, replicas, 'g3600:d_bucket_1_');
  await turn();
  assert.deepEqual(stream.news(), [
    'day=1: deny',
    `day=1: 50 + 1 in ${year}s`,
    'bucket=1: deny',
    `bucket=1: 50 + 1 in ${year}s`,
  ]);
  assert.equal(counted(store, key, time), 50);
});

test('a reset of another descriptor, or of a window that is over, changes nothing', async () => {
  const { time, replicas, store } = quotaWorld(yaml);
  const stream = new RawStream(replicas[0]!);
  stream.report('d', ['day=1', 1, 0]);
  await turn();
  stream.news();
  replicas[0]!.service.onReset([dayKey('d_day_2_', time), `d_day_1_${time.wallMs() / 1000 - 172_800}`, 'd_day_1_']);
  await turn();
  assert.deepEqual(stream.news(), []);
  assert.equal(counted(store, dayKey('d_day_1_', time), time), 51);
});

test('a counter that values share is reset for all of them', async () => {
  const { time, replicas, store } = quotaWorld(yaml);
  const stream = new RawStream(replicas[0]!);
  stream.report('d', ['path=a1', 100, 0], ['path=a2', 0, 100]);
  await turn();
  assert.equal(stream.news().at(-1), 'path=a2: deny');
  reset(store, replicas, dayKey('d_path_a*_', time));
  await turn();
  assert.match(stream.news().join(), /path=a2: \d+ \+ 1 in/);
});

test('limits that are paid together: what is given is taken from both, and a reset of one gives back to the other', async () => {
  const { time, replicas, store } = quotaWorld(yaml);
  const stream = new RawStream(replicas[0]!);
  const day = dayKey('w86400:d_two_1_', time);
  const hour = `w3600:d_two_1_${windowStart(Math.floor(time.wallMs() / 1000), 3600)}`;
  const both = (): number[] => [counted(store, hour, time, 3600), counted(store, day, time)];
  stream.report('d', ['two=1', 10, 0]);
  await turn();
  assert.deepEqual(stream.news(), ['two=1: deny', `two=1: 30 + 1 in ${year}s`]);
  assert.deepEqual(both(), [40, 40]);
  reset(store, replicas, day);
  await turn();
  assert.deepEqual(stream.news(), ['two=1: deny', `two=1: 30 + 1 in ${year}s`]);
  assert.deepEqual(both(), [40, 30]);
  stream.report('', ['two=1', 30, 0]);
  await turn();
  assert.deepEqual(stream.news(), ['two=1: deny', `two=1: 20 + 1 in ${year}s`]);
  assert.deepEqual(both(), [60, 50]);
  stream.handler.onReset();
  assert.deepEqual(both(), [40, 30]);
});

test('a reset fills the buckets of a rate', async () => {
  const { replicas, store } = quotaWorld(yaml);
  const stream = new RawStream(replicas[0]!);
  stream.report('d', ['second=1', 1, 0]);
  await turn();
  assert.deepEqual(stream.news(), ['second=1: 50 + 50 in 1s']);
  reset(store, replicas, 'd_second_1_1699999200');
  await turn();
  assert.deepEqual(stream.news(), ['second=1: deny', 'second=1: 50 + 50 in 1s']);
});

test('a bucket that another limit closed is opened by a reset of that limit only', async () => {
  const { time, replicas, store } = quotaWorld(yaml);
  const stream = new RawStream(replicas[0]!);
  stream.report('d', ['both=1', 60, 0]);
  await turn();
  assert.equal(stream.news().at(-1), 'both=1: deny');
  reset(store, replicas, 'w1:d_both_1_1699999200');
  await turn();
  assert.deepEqual(stream.news(), []);
  reset(store, replicas, dayKey('w86400:d_both_1_', time));
  await turn();
  assert.match(stream.news().join(), /both=1: \d+ \+ \d+ in 1s/);
});

/** A world with exemptions. */
function exemptWorld(): { time: VirtualTime; stream: RawStream; replica: Replica; exempt: (...w: Wish[]) => void } {
  const time = new VirtualTime(1_699_999_199_000);
  const { store } = quotaWorld(yaml);
  const exemptions: ExemptionList = new ExemptionList(time, time.timers, () => replica.service.planAnew());
  const replica: Replica = new Replica(time, store, yaml, { exemptions, idleMs: 1e9 });
  const base = { domain: 'd', scope: 'descriptor', descriptor: [], rule: '', reason: '', by: 'test' } as const;
  const exempt = (...wishes: Wish[]): void => {
    const until_ms = time.wallMs() + 10_000;
    exemptions.replace(wishes.map((wish, i) => ({ ...base, id: `${i}`, until_ms, ...wish })));
  };
  return { time, stream: new RawStream(replica), replica, exempt };
}

type Wish = Partial<Exemption>;

test('live streams are told of an exemption and of its end at once, and what passes meanwhile is counted as exempted', async () => {
  const { time, stream, replica, exempt } = exemptWorld();
  stream.report('d', ['user=ann', 1, 0], ['user=bob', 1, 0]);
  await turn();
  stream.news();
  exempt({ descriptor: [{ key: 'user', value: 'ann' }] });
  await turn();
  assert.deepEqual(stream.news(), ['user=ann: allow']);
  stream.report('', ['user=ann', 1000, 0]);
  await turn();
  assert.deepEqual(stream.news(), []);
  const ann = [...replica.limitStats.limits()].find(({ key }) => key === 'd.user_ann')!;
  assert.deepEqual([ann.exempted, ann.totalHits, ann.withinLimit], [1000, 1, 1]);
  time.advance(10_001);
  await turn();
  assert.deepEqual(stream.news(), ['user=ann: deny', `user=ann: 50 + 1 in ${year}s`]);
});

test('a bucket that comes during an exemption is let through; one rule of several is lifted alone', async () => {
  const { stream, exempt } = exemptWorld();
  exempt({ scope: 'prefix', descriptor: [{ key: 'day' }] }, { scope: 'rule', rule: 'd.both.w1' });
  stream.report('d', ['day=1', 1, 0], ['second=1', 1, 0], ['both=1', 1, 0]);
  await turn();
  assert.deepEqual(stream.news(), [
    'day=1: allow',
    'second=1: 50 + 50 in 1s',
    'both=1: deny',
    `both=1: 25 + 1 in ${year}s`,
  ]);
});
