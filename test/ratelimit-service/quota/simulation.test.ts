import assert from 'node:assert/strict';
import { env } from 'node:process';
import { test } from 'node:test';
import { createSeededRandom, type Random } from '#gateway/runtime/random.ts';
import { MemoryStore } from '#ratelimit/store/memory-store.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';
import { DelayedStore } from './support/delayed-store.ts';
import { type CarryOver, QuotaClient } from './support/quota-client.ts';
import { Replica, turn } from './support/quota-world.ts';

/** `SLUICE_SEED=7 ...` replays a run. */
const firstSeed = Number(env['SLUICE_SEED'] ?? 1);
const stepMs = 104;

/** Replicas on one store whose answers take a step, and clients whose demand comes and goes. */
class World {
  readonly time: VirtualTime = new VirtualTime(1_699_999_199_000);
  readonly random: Random;
  readonly replicas: readonly Replica[];
  readonly clients: readonly QuotaClient[];
  readonly stores: readonly DelayedStore[];
  /** Requests a second that arrive at each client. */
  readonly demand: number[];
  readonly #debt: number[];

  constructor(seed: number, rule: string, replicas: number, clients: number, carryOver: CarryOver, reportMs = 5000) {
    this.random = createSeededRandom(seed);
    const behind = new MemoryStore(this.time);
    const limits = rule.startsWith('[') ? `rate_limits: ${rule}` : `rate_limit: { ${rule} }`;
    const yaml = `domain: d\ndescriptors: [{ key: k, ${limits} }]`;
    this.stores = Array.from({ length: replicas }, () => new DelayedStore(behind));
    this.replicas = this.stores.map((store) => new Replica(this.time, store, yaml));
    this.clients = Array.from({ length: clients }, (_, i) => {
      const client = new QuotaClient('k=v', this.time, carryOver, this.random.next() * reportMs, reportMs);
      client.connect(this.replicas[i % replicas]!);
      return client;
    });
    this.demand = this.clients.map(() => 0);
    this.#debt = this.clients.map(() => 0);
  }

  get passed(): number {
    return this.clients.reduce((sum, { passed }) => sum + passed, 0);
  }

  /** Time passes, what was told arrives, requests come, reports are sent and answered. */
  async step(): Promise<void> {
    this.time.advance(stepMs);
    await this.#settle();
    this.clients.forEach((client, i) => {
      this.#debt[i]! += (this.demand[i]! * stepMs) / 1000;
      const requests = Math.floor(this.#debt[i]!);
      this.#debt[i]! -= requests;
      client.arrive(requests);
      client.tick();
    });
    await this.#settle();
  }

  /** Answers of the store and the messages they lead to. */
  async #settle(): Promise<void> {
    for (let i = 0; i < 4; i++) {
      for (const store of this.stores) store.run();
      await turn();
    }
  }
}

for (const seed of [firstSeed, firstSeed + 1, firstSeed + 2]) {
  test(`a long window: never more than the limit, most of it when it is wanted, seed ${seed}`, async () => {
    const limit = 300;
    const world = new World(seed, `unit: minute, requests_per_unit: ${limit}`, 3, 7, seed % 2 === 0 ? 'api' : 'envoy');
    const { random, demand } = world;
    let before = 0;
    let wanted = 0;
    for (let minute = 0; minute < 6; minute++) {
      const end = (Math.floor(world.time.wallMs() / 60_000) + 1) * 60_000;
      while (world.time.wallMs() < end - stepMs) {
        if (random.next() < 0.02) demand[random.uint32() % demand.length] = random.next() < 0.3 ? 0 : random.next() * 8;
        await world.step();
        wanted += demand.reduce((sum, each) => sum + each, 0) * (stepMs / 1000);
      }
      const passed = world.passed - before;
      before = world.passed;
      assert.ok(passed <= limit, `minute ${minute}: ${passed}`);
      if (minute > 0 && wanted > 2 * limit)
        assert.ok(passed >= 0.75 * limit, `minute ${minute}: ${passed} of ${wanted}`);
      wanted = 0;
      await world.step();
    }
    assert.ok(world.passed > limit);
  });

  for (const [shorter, longer] of [
    [60, 300],
    [45, 200],
  ] as const) {
    test(`windows of ${shorter} and ${longer} s: neither limit is exceeded, both are used, seed ${seed}`, async () => {
      const windows = [
        { seconds: shorter, limit: 120 },
        { seconds: longer, limit: 300 },
      ];
      const rules = windows.map(({ seconds, limit }) => {
        return `{ unit: second, unit_multiplier: ${seconds}, requests_per_unit: ${limit} }`;
      });
      const world = new World(seed, `[${rules.join(', ')}]`, 3, 6, seed % 2 === 0 ? 'api' : 'envoy');
      const { random, demand } = world;
      demand.fill(2);
      const indexOf = (seconds: number, ms: number): number => Math.floor(ms / 1000 / seconds);
      const from = windows.map(() => 0);
      // What had passed unreported when a shorter window ended is paid later: by so much the longer may be exceeded.
      let slack = 0;
      for (let i = 0; i < 8000; i++) {
        if (random.next() < 0.01) demand[random.uint32() % demand.length] = 1 + random.next() * 6;
        const beforeMs = world.time.wallMs();
        const unreported = world.clients.reduce((sum, client) => sum + client.unreported, 0);
        await world.step();
        const goesOn = windows.map(
          ({ seconds }) => indexOf(seconds, beforeMs) === indexOf(seconds, world.time.wallMs()),
        );
        if (!goesOn[1]) slack = 0;
        else if (!goesOn[0]) slack = Math.max(slack, unreported);
        windows.forEach(({ seconds, limit }, which) => {
          // What a step lets through that has the end of a window in it may be of either.
          if (!goesOn[which]) from[which] = world.passed;
          const passed = world.passed - from[which]!;
          assert.ok(passed <= limit + (which === 0 ? 0 : slack), `${seconds} s: ${passed}, ${slack} at step ${i}`);
        });
      }
      const most = (300 * 8000 * stepMs) / 1000 / longer;
      assert.ok(world.passed >= 0.85 * most && world.passed <= 1.05 * most + 300, `${world.passed} of ${most}`);
    });
  }

  test(`a short window: shares of all clients are never more than the limit, seed ${seed}`, async () => {
    const limit = 50;
    const world = new World(seed, `unit: second, requests_per_unit: ${limit}`, 3, 8, 'envoy');
    const { random, demand, clients } = world;
    const history: { atMs: number; passed: number }[] = [];
    demand.fill(15);
    for (let i = 0; i < 3000; i++) {
      if (i < 2000 && random.next() < 0.02)
        demand[random.uint32() % demand.length] = random.next() < 0.3 ? 0 : random.next() * 40;
      if (i === 2000) demand.fill(15);
      await world.step();
      const rate = clients.reduce((sum, each) => sum + each.rate, 0);
      assert.ok(rate <= limit + 1e-6, `step ${i}: ${rate}`);
      history.push({ atMs: world.time.nowMs(), passed: world.passed });
    }
    // In any time t at most limit + rate * t pass, and one more for each client.
    for (const span of [10, 100, 1000]) {
      for (let i = span; i < history.length; i += 7) {
        const seconds = (history[i]!.atMs - history[i - span]!.atMs) / 1000;
        const passed = history[i]!.passed - history[i - span]!.passed;
        const most = limit + clients.length + limit * seconds;
        assert.ok(passed <= most, `${passed} in ${seconds} s`);
      }
    }
    // In the end all want the same and more than there is: all of it passes, and nobody starves.
    const [from, to] = [history[2400]!, history[2999]!];
    const rate = (to.passed - from.passed) / ((to.atMs - from.atMs) / 1000);
    assert.ok(rate > 0.85 * limit, `${rate} a second`);
    for (const client of clients) assert.ok(client.rate >= limit / clients.length / 2, `${client.rate}`);
  });

  test(`lost streams let through no more than was held for them, seed ${seed}`, async () => {
    const limit = 400;
    const world = new World(seed, `unit: hour, requests_per_unit: ${limit}`, 2, 5, 'envoy');
    const { random, demand, clients, replicas } = world;
    demand.fill(2);
    let lost = 0;
    for (let i = 0; i < 1500; i++) {
      if (random.next() < 0.01) {
        const client = clients[random.uint32() % clients.length]!;
        if (client.connected) {
          lost += client.tokens + client.unreported;
          client.disconnect();
        } else client.connect(replicas[random.uint32() % replicas.length]!);
      }
      await world.step();
    }
    assert.ok(world.passed <= limit + lost, `${world.passed}, ${lost} lost`);
    assert.ok(world.passed >= limit * 0.9, `${world.passed}`);
  });
}

test('clients that report often use nearly all of a limit, and no more', async () => {
  const world = new World(firstSeed, 'unit: minute, requests_per_unit: 300', 2, 6, 'api', 208);
  world.demand.fill(2);
  for (let minute = 0; minute < 3; minute++) {
    const before = world.passed;
    const end = (Math.floor(world.time.wallMs() / 60_000) + 1) * 60_000;
    while (world.time.wallMs() < end - stepMs) await world.step();
    assert.ok(world.passed - before <= 300 && world.passed - before >= 285, `${world.passed - before}`);
    await world.step();
  }
});

test('while the store is away nobody gets more, and assignments of a rate end', async () => {
  const world = new World(firstSeed, 'unit: second, requests_per_unit: 20', 1, 3, 'envoy');
  const { demand, clients, stores } = world;
  demand.fill(10);
  for (let i = 0; i < 200; i++) await world.step();
  assert.ok(clients.reduce((sum, { rate }) => sum + rate, 0) > 15);
  stores[0]!.failing = true;
  for (let i = 0; i < 1300; i++) await world.step();
  assert.equal(
    clients.reduce((sum, { rate }) => sum + rate, 0),
    0,
  );
  stores[0]!.failing = false;
  for (let i = 0; i < 300; i++) await world.step();
  assert.ok(clients.reduce((sum, { rate }) => sum + rate, 0) > 15);
});

test('the same numbers for what the store cannot do at once: sliding windows and buckets', async () => {
  for (const algorithm of ['sliding_window', 'gcra']) {
    const limit = 200;
    const world = new World(
      firstSeed,
      `unit: minute, requests_per_unit: ${limit}, algorithm: ${algorithm}`,
      2,
      4,
      'envoy',
    );
    world.demand.fill(10);
    const passed: number[] = [];
    for (let i = 0; i < 2300; i++) {
      await world.step();
      passed.push(world.passed);
    }
    // What was taken may be used a lease later: at most what all clients hold.
    const steps = Math.floor(60_000 / stepMs);
    for (let i = steps; i < passed.length; i += 11) {
      const inWindow = passed[i]! - passed[i - steps]!;
      assert.ok(inWindow <= 2 * limit, `${algorithm}: ${inWindow}`);
    }
    const seconds = (passed.length * stepMs) / 1000;
    assert.ok(world.passed <= limit + (limit * seconds) / 60, `${algorithm}: ${world.passed}`);
    assert.ok(world.passed >= 0.8 * ((limit * seconds) / 60), `${algorithm}: ${world.passed} in ${seconds} s`);
  }
});
