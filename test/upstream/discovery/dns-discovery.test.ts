import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonValue } from '@bufbuild/protobuf';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import type { Cluster } from '#gateway/upstream/cluster.ts';
import type { DnsAnswer, DnsListener, DnsResolver } from '#gateway/upstream/discovery/dns-resolver.ts';
import { systemResolver } from '#gateway/upstream/discovery/system-resolver.ts';
import type { TestServerContext } from '#test/support/server-context.ts';
import { createUpstreamWorld } from '#test/support/upstream-world.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

/** Answers by a table that a test changes. */
class TableResolver implements DnsResolver {
  readonly asked: string[] = [];
  readonly answers = new Map<string, DnsAnswer>();
  readonly #waiting: { key: string; listener: DnsListener }[] = [];

  set(name: string, family: 4 | 6, addresses: readonly string[], ok = true, ttlSeconds = -1): void {
    this.answers.set(`${name} ${family}`, { ok, addresses, ttlSeconds });
  }

  lookup(name: string, family: 4 | 6, _wantTtl: boolean, listener: DnsListener): { cancel(): void } {
    const entry = { key: `${name} ${family}`, listener };
    this.asked.push(entry.key);
    this.#waiting.push(entry);
    return { cancel: () => void this.#waiting.splice(this.#waiting.indexOf(entry), 1) };
  }

  /** Answers everything that was asked, and what is asked because of that. */
  flush(): void {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      next.listener.onDnsAnswer(this.answers.get(next.key) ?? { ok: true, addresses: [], ttlSeconds: -1 });
    }
  }
}

interface World {
  readonly time: VirtualTime;
  readonly resolver: TableResolver;
  readonly cluster: Cluster;
  readonly context: TestServerContext;
  readonly addresses: () => string[];
}

function world(config: { [key: string]: JsonValue }, ...names: readonly string[]): World {
  const time = new VirtualTime();
  const resolver = new TableResolver();
  const endpoints = names.map((address) => ({
    endpoint: { address: { socket_address: { address, port_value: 80 } } },
  }));
  const cluster = { name: 'c', load_assignment: { endpoints: [{ lb_endpoints: endpoints }] }, ...config };
  const overrides = { clock: time, timers: time.timers, random: createSeededRandom(4) };
  const { context, clusters } = createUpstreamWorld([cluster], overrides, { resolver });
  const made = clusters.get('c')!;
  return { time, resolver, cluster: made, context, addresses: () => made.hosts.map((host) => host.address.text) };
}

describe('STRICT_DNS', () => {
  const strict = { type: 'STRICT_DNS', dns_lookup_family: 'V4_ONLY' };

  it('makes a host of every address of every name, and asks again', () => {
    const { time, resolver, cluster, context, addresses } = world(strict, 'a.test', 'b.test', '10.9.9.9');
    resolver.set('a.test', 4, ['10.0.0.1', '10.0.0.2']);
    resolver.set('b.test', 4, ['10.0.1.1']);
    assert.equal(cluster.initialized, false);
    resolver.flush();
    assert.deepEqual(addresses(), ['10.0.0.1:80', '10.0.0.2:80', '10.0.1.1:80', '10.9.9.9:80']);
    assert.equal(cluster.hosts[0]!.hostname, 'a.test');
    assert.equal(cluster.initialized, true);
    const first = cluster.hosts[0];
    resolver.set('a.test', 4, ['10.0.0.3', '10.0.0.1']);
    time.advance(5010);
    resolver.flush();
    assert.deepEqual(addresses(), ['10.0.0.3:80', '10.0.0.1:80', '10.0.1.1:80', '10.9.9.9:80']);
    assert.equal(cluster.hosts[1], first);
    assert.equal(context.stat('cluster.c.membership_total'), 4);
    assert.equal(context.stat('cluster.c.update_no_rebuild'), 1);
  });

  it('keeps the hosts when a query fails, and backs off', () => {
    const backOff = { dns_failure_refresh_rate: { base_interval: '1s', max_interval: '4s' } };
    const { time, resolver, context, addresses } = world({ ...strict, ...backOff }, 'a.test');
    resolver.set('a.test', 4, ['10.0.0.1']);
    resolver.flush();
    resolver.set('a.test', 4, [], false);
    for (let i = 0; i < 60; i++) {
      time.advance(500);
      resolver.flush();
    }
    assert.deepEqual(addresses(), ['10.0.0.1:80']);
    const failures = context.stat('cluster.c.update_failure');
    assert.ok(failures > 6 && failures < 60, `${failures}`);
  });

  it('is initialised by a failure too', () => {
    const { resolver, cluster } = world(strict, 'a.test');
    resolver.set('a.test', 4, [], false);
    resolver.flush();
    assert.equal(cluster.initialized, true);
    assert.equal(cluster.chooseHost(null), null);
  });

  it('goes by the time to live when asked', () => {
    const { time, resolver } = world({ ...strict, respect_dns_ttl: true }, 'a.test');
    resolver.set('a.test', 4, ['10.0.0.1'], true, 60);
    resolver.flush();
    time.advance(50_000);
    assert.equal(resolver.asked.length, 1);
    time.advance(11_000);
    assert.equal(resolver.asked.length, 2);
  });
});

describe('dns_lookup_family', () => {
  const cases = [
    { family: 'AUTO', found: ['[::1]:80'] },
    { family: 'V4_PREFERRED', found: ['10.0.0.1:80'] },
    { family: 'V6_ONLY', found: ['[::1]:80'] },
    { family: 'ALL', found: ['10.0.0.1:80', '[::1]:80'] },
  ];
  for (const { family, found } of cases) {
    it(`${family} with addresses of both`, () => {
      const { resolver, addresses } = world({ type: 'STRICT_DNS', dns_lookup_family: family }, 'a.test');
      resolver.set('a.test', 4, ['10.0.0.1']);
      resolver.set('a.test', 6, ['::1']);
      resolver.flush();
      assert.deepEqual(addresses(), found);
    });
  }

  it('AUTO goes on to IPv4 when there is no IPv6', () => {
    const { resolver, addresses } = world({ type: 'STRICT_DNS' }, 'a.test');
    resolver.set('a.test', 4, ['10.0.0.1']);
    resolver.flush();
    assert.deepEqual(addresses(), ['10.0.0.1:80']);
  });
});

describe('LOGICAL_DNS', () => {
  it('is one host whose address changes under it', () => {
    const { time, resolver, cluster, context, addresses } = world(
      { type: 'LOGICAL_DNS', dns_lookup_family: 'V4_ONLY' },
      'a.test',
    );
    resolver.set('a.test', 4, ['10.0.0.1', '10.0.0.2']);
    resolver.flush();
    assert.deepEqual(addresses(), ['10.0.0.1:80']);
    const [host] = cluster.hosts;
    resolver.set('a.test', 4, ['10.0.0.7']);
    time.advance(5010);
    resolver.flush();
    assert.deepEqual(addresses(), ['10.0.0.7:80']);
    assert.equal(cluster.hosts[0], host);
    assert.equal(context.stat('cluster.c.membership_change'), 1);
  });
});

describe('system resolver', () => {
  it('knows localhost, and tells a name without addresses from a failure', async () => {
    const lookup = (name: string): Promise<DnsAnswer> =>
      new Promise((done) => void systemResolver.lookup(name, 4, false, { onDnsAnswer: done }));
    assert.deepEqual((await lookup('localhost')).addresses, ['127.0.0.1']);
  });
});
