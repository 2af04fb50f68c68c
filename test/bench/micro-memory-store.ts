import process from 'node:process';
import { LimitAlgorithm } from '#ratelimit/config/algorithm.ts';
import type { CounterWaiter } from '#ratelimit/store/counter-store.ts';
import { MemoryStore } from '#ratelimit/store/memory-store.ts';
import { type Take, takeLimit } from '#ratelimit/store/take.ts';

/**
 * Nanoseconds a call and octets a key of the store in memory, at 1 thousand, 100 thousand and 1 million live keys, for fixed
 * windows and for GCRA: calls on keys that are there ("steady": in random order, where
 * each call waits for memory that is in no cache, and in the order they were made, where it does not), and windows that end with all of their keys ("churn"). Keys
 * are made for every call, as requests make them; what making them costs is taken off.
 * The worst 10,000 calls tell what growing and collecting cost.
 *
 *   bun test/bench/micro-memory-store.ts [SEED]        BUN_JSC_logGC=1 shows the collections
 */
let seed = Number(process.argv[2] ?? 1) >>> 0 || 1;
let sink = 0;

/** xorshift32 */
function random(below: number): number {
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return (seed >>> 0) % below;
}

const waiter: CounterWaiter = {
  onCounter(_index, after): void {
    sink += after;
  },
  onCounterError(_index, message): void {
    throw new Error(message);
  },
};

const wall = { ms: 1_800_000_000_000 };
const clock = { nowMs: () => wall.ms, wallMs: () => wall.ms };

function collect(): void {
  const { Bun, gc } = globalThis as { Bun?: { gc(force: boolean): void }; gc?: () => void };
  if (Bun !== undefined) Bun.gc(true);
  else gc?.();
}

/** An address as clients have them, so that keys look as they do in use. */
function address(n: number): string {
  return `10.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`;
}

interface Kind {
  readonly name: string;
  call(store: MemoryStore, n: number): void;
}

const seconds = 60;
const gcra = takeLimit(LimitAlgorithm.Bucket, 100, 100, seconds, true);
const kinds: readonly Kind[] = [
  {
    name: 'fixed',
    call(store, n) {
      const start = Math.floor(wall.ms / 1000 / seconds) * seconds;
      store.add(`edge_remote_address_${address(n)}_${start}`, 1, start, seconds, waiter, 0);
    },
  },
  {
    name: 'gcra',
    call(store, n) {
      const take: Take = {
        limit: gcra,
        key: `g60:edge_remote_address_${address(n)}_`,
        windowStart: 0,
        hits: 1,
        index: 0,
      };
      store.take([take], false, waiter);
    },
  },
];

/** A store that only looks at the key: what making the calls costs. */
const idle = {
  add(key: string): void {
    sink += key.charCodeAt(key.length >> 1);
  },
  take([take]: readonly Take[]): void {
    sink += take!.key.charCodeAt(take!.key.length >> 1);
  },
} as unknown as MemoryStore;

interface Timing {
  readonly ns: number;
  /** Milliseconds. */
  readonly worst: number;
}

/** Of processor time, all threads together: collections count, other programs do not. */
function time(calls: number, each: (i: number) => void): Timing {
  const chunk = 10_000;
  const spent = (since: NodeJS.CpuUsage): number => {
    const { user, system } = process.cpuUsage(since);
    return user + system;
  };
  let worst = 0;
  const begin = process.cpuUsage();
  for (let i = 0; i < calls; ) {
    const from = process.cpuUsage();
    for (const end = Math.min(calls, i + chunk); i < end; i++) each(i);
    worst = Math.max(worst, spent(from));
  }
  return { ns: (spent(begin) * 1000) / calls, worst: worst / 1000 };
}

function run({ name, call }: Kind, keys: number): void {
  const calls = 2_000_000;
  const store = new MemoryStore(clock, 2_000_000);
  const base = time(calls / 4, () => call(idle, random(keys))).ns;
  collect();
  const before = process.memoryUsage();
  const fill = time(keys, (i) => call(store, i));
  collect();
  const after = process.memoryUsage();
  const octets = (field: 'heapUsed' | 'arrayBuffers' | 'rss'): number => (after[field] - before[field]) / keys;
  const steady = time(calls, () => call(store, random(keys)));
  let next = 0;
  const inOrder = time(calls, () => call(store, next++ % keys));
  const windows = Math.max(2, Math.min(50, 3_000_000 / keys));
  let churned = 0;
  const churn = time(windows * keys, (i) => {
    if (i % keys === 0) {
      wall.ms += seconds * 1000;
      churned++;
    }
    call(store, keys * churned + random(keys));
  });
  const figures = [
    `fill ${(fill.ns - base).toFixed(0)} ns (worst 10,000: ${fill.worst.toFixed(1)} ms)`,
    `steady ${(steady.ns - base).toFixed(0)} ns (${steady.worst.toFixed(1)} ms)`,
    `in order ${(inOrder.ns - base).toFixed(0)} ns (${inOrder.worst.toFixed(1)} ms)`,
    `churn ${(churn.ns - base).toFixed(0)} ns (${churn.worst.toFixed(1)} ms)`,
    `octets a key: heap ${octets('heapUsed').toFixed(0)}, buffers ${octets('arrayBuffers').toFixed(0)}, rss ${octets('rss').toFixed(0)}`,
    `rss at the end ${(process.memoryUsage().rss / 1e6).toFixed(0)} MB`,
  ];
  console.log(`${name} ${keys} keys: ${figures.join('; ')}`);
}

for (const kind of kinds) for (const keys of [1000, 100_000, 1_000_000]) run(kind, keys);
if (Number.isNaN(sink)) console.log(sink);
