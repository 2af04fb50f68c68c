import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quotaWorld, RawStream, turn } from './support/quota-world.ts';

const year = 31_536_000;
const yaml = `
domain: edge
descriptors:
  - key: user
    value: ann
    rate_limit: { unit: hour, requests_per_unit: 100 }
  - key: user
    value: rate
    rate_limit: { unit: second, requests_per_unit: 100 }
  - key: user
    value: free
    rate_limit: { unlimited: true }
  - key: user
    value: none
    rate_limit: { unit: hour, requests_per_unit: 0 }
  - key: user
    value: shadow
    shadow_mode: true
    rate_limit: { unit: hour, requests_per_unit: 10 }
  - key: path
    descriptors:
      - key: method
        value: GET
        rate_limit: { unit: minute, requests_per_unit: 60 }
`;

test('each kind of rule has its assignment; what no rule is for is allowed', async () => {
  const { replicas } = quotaWorld(yaml);
  const stream = new RawStream(replicas[0]!);
  stream.report('edge', ['user=ann', 1, 0], ['user=rate', 1, 0], ['user=free', 1, 0], ['user=none', 1, 0]);
  stream.report('', ['user=shadow', 1, 0], ['user=who', 1, 0], ['method=GET path=/x', 0, 0]);
  await turn();
  assert.deepEqual(stream.news(), [
    'user=ann: deny',
    `user=ann: 50 + 1 in ${year}s`,
    'user=rate: 50 + 50 in 1s',
    'user=free: allow',
    'user=none: deny',
    'user=shadow: allow',
    'user=who: allow',
    'method=GET path=/x: deny',
    `method=GET path=/x: 30 + 1 in ${year}s`,
  ]);
  assert.equal(stream.responses.length, 1, 'one message a turn');
  for (const { bucketAction } of stream.responses[0]!.bucketAction) {
    const value = bucketAction.value as { assignmentTimeToLive?: { seconds: bigint } };
    assert.equal(value.assignmentTimeToLive?.seconds, 60n);
  }
});

test('unknown buckets can be denied instead', async () => {
  const { replicas } = quotaWorld(yaml, 1, { unknownBuckets: 'deny' });
  const stream = new RawStream(replicas[0]!);
  stream.report('edge', ['user=who', 1, 0], ['user=free', 1, 0]);
  stream.report('', ['path=/x', 1, 0]);
  await turn();
  assert.deepEqual(stream.news(), ['user=who: deny', 'user=free: allow', 'path=/x: deny']);
});

test('what is used is paid, what is left stays, and more comes before it is used up', async () => {
  const { time, replicas } = quotaWorld(yaml, 1, { idleMs: 1e9 });
  const stream = new RawStream(replicas[0]!);
  stream.report('edge', ['user=ann', 1, 0]);
  await turn();
  assert.equal(stream.news().at(-1), `user=ann: 50 + 1 in ${year}s`);
  time.advance(5000);
  stream.report('', ['user=ann', 10, 0]);
  await turn();
  // 2 a second for 12.5 seconds and a quarter more, and 12: 44 wanted, 40 left.
  assert.deepEqual(stream.news(), []);
  time.advance(5000);
  stream.report('', ['user=ann', 30, 0]);
  await turn();
  // 10 left; 6 a second would be 106, of which 59 are left in the limit.
  assert.deepEqual(stream.news(), ['user=ann: deny', `user=ann: 59 + 1 in ${year}s`]);
  time.advance(5000);
  stream.report('', ['user=ann', 59, 20]);
  await turn();
  assert.deepEqual(stream.news(), ['user=ann: deny']);
  time.advance(3_600_000 - 15_000 - 8);
  await turn();
  assert.deepEqual([...new Set(stream.news())], ['user=ann: deny'], 'nothing before the hour is over');
  time.advance(24);
  await turn();
  assert.match(stream.news().join(), /^user=ann: deny,user=ann: \d+ \+ 1 in/);
});

test('assignments are extended unchanged, also for a client that is silent, and never filled again', async () => {
  const { time, replicas } = quotaWorld(yaml);
  const stream = new RawStream(replicas[0]!);
  stream.report('edge', ['user=ann', 0, 0], ['user=rate', 0, 0]);
  await turn();
  stream.news();
  time.advance(19_000);
  await turn();
  assert.deepEqual(stream.news(), []);
  time.advance(12_000);
  await turn();
  assert.deepEqual(stream.news(), [`user=ann: 50 + 1 in ${year}s`, 'user=rate: 50 + 50 in 1s']);
});

test('idle buckets are abandoned and begin anew', async () => {
  const { time, replicas, store } = quotaWorld(yaml);
  const [replica] = replicas;
  const stream = new RawStream(replica!);
  stream.report('edge', ['user=ann', 1, 0]);
  for (let i = 0; i < 41; i++) {
    time.advance(15_000);
    await turn();
    stream.report('', ['user=ann', 0, 0]);
  }
  await turn();
  assert.equal(stream.news().at(-1), 'user=ann: abandon', 'the report on its way changes nothing');
  assert.equal(replica!.stats.abandons, 1);
  assert.equal(replica!.stats.subscriptions, 0);
  time.advance(15_000);
  stream.report('', ['user=ann', 1, 0]);
  await turn();
  assert.equal(stream.news().at(-1), `user=ann: 50 + 1 in ${year}s`);
  stream.handler.onReset();
  assert.equal(replica!.stats.subscriptions, 0);
  assert.equal(replica!.stats.buckets, 0);
  assert.equal(replica!.stats.streams, 0);
  assert.equal(store.size, 1);
});

test('a new configuration is told at once: raised, unchanged, removed, limited for the first time', async () => {
  const { replicas } = quotaWorld(yaml);
  const [replica] = replicas;
  const stream = new RawStream(replica!);
  stream.report('edge', ['user=ann', 0, 0], ['user=rate', 0, 0], ['user=none', 0, 0], ['user=who', 0, 0]);
  await turn();
  stream.news();
  replica!.configure(
    yaml.replace('requests_per_unit: 100 }', 'requests_per_unit: 1000 }').replace('value: none', 'value: who'),
  );
  await turn();
  assert.deepEqual(stream.news().sort(), [
    'user=ann: 100 + 1 in 31536000s',
    'user=ann: deny',
    'user=none: abandon',
    'user=who: deny',
  ]);
});

test('a closed stream gives back what it held', async () => {
  const { replicas } = quotaWorld(yaml);
  const [replica] = replicas;
  const first = new RawStream(replica!);
  const second = new RawStream(replica!);
  first.report('edge', ['user=ann', 0, 0], ['user=rate', 0, 0]);
  first.handler.onEnd();
  assert.deepEqual(first.news(), ['finished 0']);
  second.report('edge', ['user=ann', 0, 0], ['user=rate', 0, 0]);
  await turn();
  assert.deepEqual(second.news(), ['user=ann: deny', `user=ann: 50 + 1 in ${year}s`, 'user=rate: 50 + 50 in 1s']);
});

test('malformed messages, no domain and another domain end the stream', () => {
  const { replicas } = quotaWorld(yaml);
  const [replica] = replicas;
  const bad = new RawStream(replica!);
  bad.handler.onMessage(Uint8Array.of(0x0a, 0x7f));
  assert.deepEqual(bad.news(), ['finished 3 malformed RateLimitQuotaUsageReports']);
  const noDomain = new RawStream(replica!);
  noDomain.report('', ['user=ann', 0, 0]);
  assert.deepEqual(noDomain.news(), ['finished 3 the first report must have a domain']);
  const other = new RawStream(replica!);
  other.report('edge', ['user=ann', 0, 0]);
  other.report('edge', ['user=ann', 0, 0]);
  other.report('west', ['user=ann', 0, 0]);
  assert.deepEqual(other.news(), ['finished 3 the domain of a stream cannot change']);
  assert.equal(replica!.stats.malformed, 3);
  assert.equal(replica!.stats.subscriptions, 0);
});

test('buckets are bounded in number and size', async () => {
  const { replicas } = quotaWorld(yaml, 1, { maxBucketsPerStream: 2, maxBuckets: 3 });
  const [replica] = replicas;
  const stream = new RawStream(replica!);
  stream.report('edge', ['a=1', 1, 0], ['a=2', 1, 0], ['a=3', 1, 0], [`a=${'x'.repeat(9000)}`, 1, 0]);
  await turn();
  assert.deepEqual(stream.news(), ['a=1: allow', 'a=2: allow']);
  assert.equal(replica!.stats.refused, 2);
  const second = new RawStream(replica!);
  second.report('edge', ['a=3', 1, 0], ['a=4', 1, 0]);
  await turn();
  assert.deepEqual(second.news(), ['a=3: allow']);
});

test('a long bucket id takes the places of several short ones, and gives them back', async () => {
  const { replicas } = quotaWorld(yaml, 1, { maxBucketsPerStream: 20, maxBuckets: 30 });
  const [replica] = replicas;
  const long = (letter: string): [string, number, number] => [`a=${letter.repeat(4000)}`, 1, 0];
  const first = new RawStream(replica!);
  first.report('edge', long('x'), ['a=1', 1, 0], long('y'));
  await turn();
  assert.deepEqual([first.news().length, replica!.stats.refused], [2, 1], 'one stream has 20 places');
  const second = new RawStream(replica!);
  second.report('edge', long('z'), ['a=2', 1, 0]);
  await turn();
  assert.deepEqual(second.news(), ['a=2: allow'], 'all together have 30');
  first.handler.onEnd();
  await turn();
  second.report('edge', long('z'));
  await turn();
  assert.equal(second.news().length, 1);
});

test('rules in shadow mode let everything pass and are counted', async () => {
  const { time, replicas } = quotaWorld(yaml);
  const [replica] = replicas;
  const stream = new RawStream(replica!);
  stream.report('edge', ['user=shadow', 1, 0]);
  time.advance(5000);
  stream.report('', ['user=shadow', 14, 0]);
  await turn();
  assert.deepEqual(stream.news(), ['user=shadow: allow']);
  const stats = replica!.limitStats.configured('edge.user_shadow');
  assert.deepEqual(
    { total: stats.totalHits, over: stats.overLimit, shadow: stats.shadowMode },
    { total: 15, over: 5, shadow: 5 },
  );
});

test('of several limits the shortest is shared, and the bucket closes when another is used up', async () => {
  const { time, replicas } = quotaWorld(
    `
domain: edge
descriptors:
  - key: user
    rate_limits:
      - { unit: hour, requests_per_unit: 30, name: hourly }
      - { unit: second, requests_per_unit: 10 }
`,
    1,
    { idleMs: 1e9 },
  );
  const stream = new RawStream(replicas[0]!);
  stream.report('edge', ['user=ann', 1, 0]);
  await turn();
  assert.deepEqual(stream.news(), ['user=ann: 5 + 5 in 1s']);
  time.advance(5000);
  stream.report('', ['user=ann', 25, 0]);
  await turn();
  assert.match(stream.news().join(), /^user=ann: \d+ \+ \d+ in \ds$/);
  time.advance(5000);
  stream.report('', ['user=ann', 20, 0]);
  await turn();
  assert.deepEqual(stream.news(), ['user=ann: deny']);
  time.advance(3_600_000);
  await turn();
  const news = stream.news();
  assert.match(news.at(-1)!, /in \ds$/, news.join('\n'));
});
