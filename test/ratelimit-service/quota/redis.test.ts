import assert from 'node:assert/strict';
import { peerTest } from '#test/support/peers.ts';
import { startRedis } from '#test/support/redis.ts';
import { until } from '#test/support/until.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';
import { openRedisStore } from '../support/open-redis-store.ts';
import { RawStream, Replica, turn } from './support/quota-world.ts';

const yaml = `
domain: d
descriptors:
  - { key: k, value: long, rate_limit: { unit: hour, requests_per_unit: 100 } }
  - { key: k, value: short, rate_limit: { unit: second, requests_per_unit: 100 } }
`;

/** The last action of a stream, once it has one: `deny`, or `N + M in Ss`. */
async function told(stream: RawStream): Promise<string> {
  await until(() => stream.told.length > 0);
  return stream.news().at(-1)!.split(': ')[1]!;
}

/** Requests a second that the stream was told last. */
function lastRate(stream: RawStream): number {
  const action = stream.told.at(-1) ?? '';
  const [, fill = '0', seconds = '1'] = /\+ (\d+) in (\d+)s/.exec(action) ?? [];
  return Number(fill) / Number(seconds);
}

peerTest(
  'redis-server',
  'replicas on one Redis share limits, and ShouldRateLimit counts on the same counter',
  async (binary) => {
    const redis = await startRedis(binary);
    const time = new VirtualTime(1_699_999_199_000);
    const opened = await Promise.all([openRedisStore(redis.port), openRedisStore(redis.port)]);
    try {
      const replicas = opened.map(({ store }) => new Replica(time, store, yaml));
      const streams = [0, 1, 0, 1, 0].map((which) => new RawStream(replicas[which]!));
      let passed = 0;
      let used = streams.map(() => 0);
      for (let round = 0; round < 40; round++) {
        const before = used;
        used = await Promise.all(
          streams.map(async (stream, i) => {
            stream.report('d', ['k=long', before[i]!, 1]);
            const action = await told(stream);
            return action === 'deny' ? 0 : Number(action.split(' ')[0]);
          }),
        );
        passed += used.reduce((sum, each) => sum + each, 0);
        // So that a denial is told again.
        time.advance(21_000);
      }
      assert.equal(passed, 100);
      assert.equal(await opened[0]!.client.get(`d_k_long_${1_699_999_200}`), '100');

      let rates: number[] = [];
      const fair = (): boolean => Math.min(...rates) >= 10 && Math.max(...rates) <= 40;
      for (let round = 0; round < 100 && !fair(); round++) {
        for (const stream of streams) stream.report('d', ['k=short', 0, 500]);
        // The answers of both stores, with what they lead to, come in this time and before the next report.
        for (let i = 0; i < 5; i++) {
          time.advance(1000);
          await Promise.all(opened.map(({ client }) => client.ping()));
          await turn();
        }
        rates = streams.map(lastRate);
      }
      assert.ok(fair(), `everybody has a share: ${rates}`);
      const total = rates.reduce((sum, each) => sum + each, 0);
      assert.ok(total <= 100, `${rates}`);
    } finally {
      for (const { store } of opened) store.close();
      await redis.program.stop();
    }
  },
);
