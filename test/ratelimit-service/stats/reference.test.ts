import assert from 'node:assert/strict';
import { findPeer, firstMissing, peerTest } from '#test/support/peers.ts';
import { RateLimitClient } from '#test/support/rate-limit-client.ts';
import { startRedis } from '#test/support/redis.ts';
import { freePorts } from '#test/support/running-program.ts';
import { until } from '#test/support/until.ts';
import { addUp, type LineReceiver, receiveTcp, receiveUdp } from '../support/line-receiver.ts';
import {
  type LimitFolder,
  limitFolder,
  ownService,
  type RunningService,
  startService,
} from '../support/running-service.ts';

const rules = `
domain: d
descriptors:
- { key: a, rate_limit: { unit: day, requests_per_unit: 2 } }
- { key: shadow, shadow_mode: true, rate_limit: { unit: day, requests_per_unit: 1 } }
- key: n
  descriptors:
  - { key: m, value: x, rate_limit: { unit: day, requests_per_unit: 20 } }
  - key: o
    descriptors:
    - { key: p, detailed_metric: true, rate_limit: { unit: day, requests_per_unit: 1 } }
`;

/** The same calls to every service. */
async function call({ grpc }: RunningService): Promise<void> {
  const client = new RateLimitClient(`127.0.0.1:${grpc}`);
  try {
    for (let i = 0; i < 5; i++) {
      await client.ask('d', 'a=1', 'shadow=s', 'n=1 m=x', 'n=1 o=10.0.0.1 p=2|3');
      await client.ask('other', 'a=1');
      await client.ask('d', 'none=1');
    }
    await assert.rejects(client.ask('', 'a=1'));
    await client.call('/grpc.health.v1.Health/Check', new Uint8Array(0));
  } finally {
    client.close();
  }
}

/** Names that differ on purpose, or that only one runtime has. */
const apart = /^(ratelimit\.(go|quota|redis|statsd|dogstatsd|redis_pool)\.|ratelimit_go_|datadog|redis_pool|runtime)/;

async function beside(
  env: (at: number) => Readonly<Record<string, string>>,
  body: (theirs: RunningService, ours: RunningService, folder: LimitFolder) => Promise<void>,
): Promise<void> {
  const folder = limitFolder({ 'a.yaml': rules });
  const redises = [await startRedis(findPeer('redis-server')!), await startRedis(findPeer('redis-server')!)];
  const services: RunningService[] = [];
  try {
    for (const [at, command] of [[findPeer('reference-ratelimit')!], ownService()].entries()) {
      const common = {
        EXTRA_TAGS: 'env:d.e|v,b:2',
        STATS_FLUSH_INTERVAL: '100ms',
        LOCAL_CACHE_SIZE_IN_BYTES: '1000000',
      };
      services.push(await startService(command, folder.root, redises[at]!.port, { ...common, ...env(at) }));
    }
    for (const service of services) await call(service);
    await body(services[0]!, services[1]!, folder);
  } finally {
    for (const { program } of [...services, ...redises]) await program.stop();
    folder.remove();
  }
}

/** Waits for all of a flush that began from now on: gauges are sent in every one. */
async function anotherFlush(receiver: LineReceiver): Promise<void> {
  const flushes = (): number => receiver.lines.filter((line) => line.startsWith('runtime.num_values')).length;
  const before = flushes();
  await until(() => flushes() > before + 1);
}

/** Waits until the calls have arrived, and answers all that has. */
async function received(receiver: LineReceiver): Promise<string[]> {
  const complete = (): boolean => {
    const sums = [...addUp(receiver.lines)];
    const sum = (part: string): number => sums.find(([name]) => name.includes(part))?.[1] ?? 0;
    return (
      sum('ShouldRateLimit.total_requests') === 16 &&
      sum('ShouldRateLimit.response_time') === 16 &&
      sum('d.a.total_hits') === 5
    );
  };
  await until(complete);
  await anotherFlush(receiver);
  return [...addUp(receiver.lines)]
    .filter(([name]) => !apart.test(name) && !name.includes('averageAccessTime'))
    .map(([name, value]) => `${name} ${value}`)
    .sort();
}

peerTest(firstMissing('reference-ratelimit', 'redis-server'), 'statsd: the same names, tags and values', async () => {
  const receivers = [await receiveTcp(), await receiveTcp()];
  try {
    const env = (at: number): Record<string, string> => ({
      USE_STATSD: 'true',
      STATSD_HOST: '127.0.0.1',
      STATSD_PORT: String(receivers[at]!.port),
    });
    await beside(env, async () => {
      const [theirs, ours] = [await received(receivers[0]!), await received(receivers[1]!)];
      assert.deepEqual(ours, theirs);
      assert.ok(ours.length > 25, `${ours.length} statistics`);
    });
  } finally {
    for (const receiver of receivers) receiver.close();
  }
});

peerTest(
  firstMissing('reference-ratelimit', 'redis-server'),
  'DogStatsD with mogrifiers: the same names, tags and values',
  async () => {
    const receivers = [await receiveUdp(), await receiveUdp()];
    try {
      const env = (at: number): Record<string, string> => ({
        USE_DOG_STATSD: 'true',
        STATSD_HOST: '127.0.0.1',
        STATSD_PORT: String(receivers[at]!.port),
        USE_DOG_STATSD_MOGRIFIERS: 'NEAR,LIMIT,LATE',
        DOG_STATSD_MOGRIFIER_NEAR_PATTERN: 'near_limit$',
        DOG_STATSD_MOGRIFIER_NEAR_NAME: 'near',
        DOG_STATSD_MOGRIFIER_LIMIT_PATTERN:
          '^ratelimit\\.service\\.rate_limit\\.([^.]+)\\.(.*)\\.([a-z]+)_(limit|hits)$',
        DOG_STATSD_MOGRIFIER_LIMIT_NAME: 'rl.$3$9',
        DOG_STATSD_MOGRIFIER_LIMIT_TAGS: 'descriptor:$2',
        DOG_STATSD_MOGRIFIER_LATE_PATTERN: 'over_limit',
        DOG_STATSD_MOGRIFIER_LATE_NAME: '$0.late',
      });
      await beside(env, async () => {
        const sums = async (receiver: LineReceiver): Promise<string[]> => {
          const total = (): number => addUp(receiver.lines).get('rl.total$9|c|#b:2,env:d_e_v,descriptor:a') ?? 0;
          await until(() => total() === 5 && receiver.lines.filter((line) => /total_requests/.test(line)).length > 0);
          await until(
            () =>
              (addUp(receiver.lines).get('ratelimit_server.ShouldRateLimit.response_time|ms|#b:2,env:d_e_v') ?? 0) ===
              16,
          );
          await anotherFlush(receiver);
          return [...addUp(receiver.lines)]
            .filter(([name]) => !apart.test(name) && !name.includes('averageAccessTime'))
            .map(([name, value]) => `${name} ${value}`)
            .sort();
        };
        const [theirs, ours] = [await sums(receivers[0]!), await sums(receivers[1]!)];
        assert.deepEqual(ours, theirs);
        assert.ok(ours.some((line) => line.startsWith('over_limit.late|c|#b:2,env:d_e_v')));
      });
    } finally {
      for (const receiver of receivers) receiver.close();
    }
  },
);

/** Series of a page, without what is zero, what the two runtimes have for themselves, and times. */
async function series(port: number, ready: (page: string) => boolean): Promise<string[]> {
  let page = '';
  for (let i = 0; i < 200; i++) {
    page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    if (ready(page)) break;
    await new Promise((done) => setTimeout(done, 50));
  }
  assert.ok(ready(page), page);
  return page
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#') && !line.endsWith(' 0'))
    .filter(
      (line) => !/^(go_|process_|promhttp_|statsd_exporter_|ratelimit_go_|runtime_|ratelimit_redis_pool_)/.test(line),
    )
    .filter((line) => !/averageAccessTime|response_time_seconds_(bucket|sum)/.test(line))
    .sort();
}

peerTest(firstMissing('reference-ratelimit', 'redis-server'), 'Prometheus: the same series', async () => {
  const ports = await freePorts(2);
  const env = (at: number): Record<string, string> => ({
    USE_PROMETHEUS: 'true',
    EXTRA_TAGS: '',
    LOCAL_CACHE_SIZE_IN_BYTES: '0',
    PROMETHEUS_ADDR: `127.0.0.1:${ports[at]}`,
  });
  await beside(env, async () => {
    const ready = (page: string): boolean =>
      page.includes('ratelimit_service_response_time_seconds_count{grpc_method="ShouldRateLimit"} 16') &&
      page.includes('ratelimit_service_total_requests{grpc_method="ShouldRateLimit"} 16') &&
      page.includes('ratelimit_service_total_requests{grpc_method="Check"} 1') &&
      page.includes('ratelimit_service_rate_limit_total_hits{domain="d",key1="a"} 5');
    const [theirs, ours] = [await series(ports[0]!, ready), await series(ports[1]!, ready)];
    assert.deepEqual(ours, theirs);
    assert.ok(ours.length > 20, `${ours.length} series`);
    assert.equal((await fetch(`http://127.0.0.1:${ports[1]}/debug/pprof/`)).status, 404);
  });
});

const mappingFile = `
mappings:
- { match: 'ratelimit.service.rate_limit.*.shadow.*', action: drop, name: gone }
- { match: 'ratelimit.service.rate_limit.*.*.near_limit', name: near, labels: { at: '$1/\${2}', none: '$3' } }
- { match: '^ratelimit\\.service\\.rate_limit\\.(?P<domain>[^.]+)\\.(.*)\\.(\\w+)$', match_type: regex, name: 'limit_$3', labels: { all: '$1 $2', word: '\${domain}' } }
- { match: 'ratelimit_server.*.total_requests', match_metric_type: gauge, name: not_this }
- { match: 'ratelimit_server.*.total_requests', name: 'calls_$1', scale: 3 }
- { match: 'ratelimit_server.*.response_time', name: times, observer_type: histogram, histogram_options: { buckets: [100, 200] }, labels: { method: $1 } }
`;

peerTest(
  firstMissing('reference-ratelimit', 'redis-server'),
  'Prometheus with a mapping file: the same series',
  async () => {
    const ports = await freePorts(2);
    const files = limitFolder({ 'mapping.yaml': mappingFile });
    const env = (at: number): Record<string, string> => ({
      USE_PROMETHEUS: 'true',
      EXTRA_TAGS: '',
      LOCAL_CACHE_SIZE_IN_BYTES: '0',
      PROMETHEUS_ADDR: `127.0.0.1:${ports[at]}`,
      PROMETHEUS_MAPPER_YAML: `${files.config}/mapping.yaml`,
    });
    try {
      await beside(env, async () => {
        const ready = (page: string): boolean =>
          page.includes('times_count{method="ShouldRateLimit"} 16') &&
          page.includes('calls_ShouldRateLimit 48') &&
          page.includes('calls_Check 3') &&
          page.includes('limit_total_hits{all="d a",word="d"} 5');
        const plain = (lines: readonly string[]): string[] => lines.filter((line) => !/^times_(bucket|sum)/.test(line));
        const [theirs, ours] = [await series(ports[0]!, ready), await series(ports[1]!, ready)];
        assert.deepEqual(plain(ours), plain(theirs));
        assert.ok(ours.includes('times_bucket{method="ShouldRateLimit",le="+Inf"} 16'));
        assert.ok(!ours.some((line) => line.includes('shadow')));
      });
    } finally {
      files.remove();
    }
  },
);

/** Sums by name of what a service has logged; of timers the calls. */
function logged({ program }: RunningService): Map<string, number> {
  const sums = new Map<string, number>();
  for (const line of program.output().split('\n')) {
    if (!line.includes('"gostats.loggingsink"')) continue;
    const { level, msg, json } = JSON.parse(line) as { level: string; msg: string; json: Record<string, string> };
    assert.deepEqual([level, msg], ['debug', `flushing ${json['type']}`]);
    if (json['name'] === undefined) continue; // the reference tells the end of a flush
    const amount =
      json['type'] === 'timer' ? Number(json['calls'] ?? 1) : json['type'] === 'gauge' ? 0 : Number(json['value']);
    const key = `${json['name']} ${json['type']}`;
    sums.set(key, (sums.get(key) ?? 0) + amount);
  }
  return sums;
}

peerTest(
  firstMissing('reference-ratelimit', 'redis-server'),
  'the log, without any other sink: the same names and values',
  async () => {
    await beside(
      () => ({}),
      async (theirs, ours) => {
        const read = async (service: RunningService): Promise<string[]> => {
          const count = (name: string): number =>
            logged(service).get(`${name}.__b=2.__env=d_e_v ${name.endsWith('time') ? 'timer' : 'counter'}`) ?? 0;
          await service.program.until(
            () =>
              count('ratelimit_server.Check.total_requests') === 1 &&
              count('ratelimit_server.ShouldRateLimit.response_time') === 16 &&
              count('ratelimit.service.rate_limit.d.a.total_hits') === 5,
          );
          const flushes = (): number => service.program.output().split('runtime.num_values').length;
          const before = flushes();
          await service.program.until(() => flushes() > before + 1);
          return [...logged(service)]
            .filter(([name]) => !apart.test(name) && !name.includes('averageAccessTime'))
            .map(([name, value]) => `${name} ${value}`)
            .sort();
        };
        const [expected, found] = [await read(theirs), await read(ours)];
        assert.deepEqual(found, expected);
        assert.ok(found.length > 25);
      },
    );
  },
);
