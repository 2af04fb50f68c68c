import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSeededRandom, type Random } from '#gateway/runtime/random.ts';
import { envoyLine, type LoggedRequest, SimulationFiles, simulate } from './simulated-log.ts';

const files = new SimulationFiles();
const startMs = Date.UTC(2026, 10, 21, 23, 58);

/** Says whether a request is let in; requests are asked in the order of time. */
type Oracle = (request: LoggedRequest) => boolean;

/** N in each window of the clock; what is refused counts as well. */
function fixedWindow(limit: number, windowMs: number): Oracle {
  const counts = new Map<string, number>();
  return ({ ms, key }) => {
    const window = `${Math.floor(ms / windowMs)} ${key}`;
    counts.set(window, (counts.get(window) ?? 0) + 1);
    return counts.get(window)! <= limit;
  };
}

/** N of the time since the beginning of the 20th of a window that was a window ago. */
function slidingWindow(limit: number, windowMs: number): Oracle {
  const taken = new Map<string, number[]>();
  const part = windowMs / 20;
  return ({ ms, key }) => {
    const times = taken.get(key) ?? [];
    taken.set(key, times);
    if (times.filter((time) => Math.floor(ms / part) - Math.floor(time / part) <= 20).length >= limit) return false;
    times.push(ms);
    return true;
  };
}

/** GCRA by its book: the theoretical arrival time, in whole numbers of 1/limit of a millisecond. */
function gcra(limit: number, windowMs: number, burst: number): Oracle {
  const arrivals = new Map<string, bigint>();
  const interval = BigInt(windowMs);
  return ({ ms, key }) => {
    const now = BigInt(ms) * BigInt(limit);
    const arrival = arrivals.get(key) ?? now;
    const from = arrival > now ? arrival : now;
    if (from - now > interval * BigInt(burst - 1)) return false;
    arrivals.set(key, from + interval);
    return true;
  };
}

/** N at once; a request that ends makes room for one that comes at the same time. Leases are longer than any request. */
function concurrency(limit: number): Oracle {
  const ends = new Map<string, number[]>();
  return ({ ms, key, durationMs = 0 }) => {
    const inFlight = (ends.get(key) ?? []).filter((end) => end > ms);
    ends.set(key, inFlight);
    if (inFlight.length >= limit) return false;
    inFlight.push(ms + durationMs);
    return true;
  };
}

/** Requests of a few keys in bursts and silences, in the order of time. */
function madeUp(random: Random, count: number): LoggedRequest[] {
  const requests: LoggedRequest[] = [];
  let ms = startMs;
  for (let i = 0; i < count; i++) {
    const pace = random.next();
    ms += Math.floor(pace < 0.3 ? 0 : pace < 0.98 ? random.next() * 60 : random.next() * 4000);
    const key = `/${'abcde'[Math.floor(random.next() * 5)]}`;
    requests.push({ ms, key, durationMs: Math.floor(random.next() * 400) });
  }
  return requests;
}

/** The order in which a log has its lines: by when requests ended. Answers the lines' numbers by request. */
function asLogged(requests: readonly LoggedRequest[]): { readonly lines: string[]; readonly numbers: number[] } {
  const order = requests.map((_, i) => i);
  order.sort(
    (a, b) => requests[a]!.ms + requests[a]!.durationMs! - requests[b]!.ms - requests[b]!.durationMs! || a - b,
  );
  const numbers: number[] = [];
  order.forEach((request, line) => {
    numbers[request] = line + 1;
  });
  return { lines: order.map((i) => envoyLine(requests[i]!)), numbers };
}

const cases: readonly (readonly [name: string, limit: string, oracle: () => Oracle, flags: readonly string[]])[] = [
  ['fixed window', 'unit: second, requests_per_unit: 6', () => fixedWindow(6, 1000), []],
  ['fixed window of 7 s', 'unit: second, unit_multiplier: 7, requests_per_unit: 20', () => fixedWindow(20, 7000), []],
  [
    'sliding window',
    'unit: second, unit_multiplier: 2, requests_per_unit: 9, algorithm: sliding_window',
    () => slidingWindow(9, 2000),
    [],
  ],
  ['gcra', 'unit: second, requests_per_unit: 3, algorithm: gcra, burst: 8', () => gcra(3, 1000, 8), []],
  ['concurrency', 'unit: hour, requests_per_unit: 2, algorithm: concurrency', () => concurrency(2), ['--in-flight']],
];

for (const [name, limit, makeOracle, flags] of cases) {
  for (const seed of [1, 2, 3]) {
    test(`${name}: the very requests that a plain count limits, seed ${seed}`, async () => {
      // Requests at one and the same time count in the order of the log: let their order be that of their ends.
      const requests = madeUp(createSeededRandom(seed * 77), 3000).sort(
        (a, b) => a.ms - b.ms || a.durationMs! - b.durationMs!,
      );
      const oracle = makeOracle();
      const { lines, numbers } = asLogged(requests);
      const expected = requests.flatMap((request, i) => (oracle(request) ? [] : [numbers[i]!]));
      const config = files.write('limits.yaml', `domain: d\ndescriptors: [{ key: k, rate_limit: { ${limit} } }]\n`);
      const log = files.write('access.log', `${lines.join('\n')}\n`);
      const { limited, summary } = await simulate(
        ...['--config', config, '--log', log, '--descriptor', 'k=%REQ(:PATH)%', ...flags],
      );
      assert.deepEqual(
        limited.map(({ line }) => line),
        expected,
      );
      assert.ok(expected.length > 300 && expected.length < 2700, `${expected.length}`);
      const [config0] = summary.configs;
      const [rule] = config0!.rules;
      assert.deepEqual([summary.requests, summary.unread, summary.notes], [3000, 0, []]);
      assert.deepEqual([config0!.limited, rule!.limited, rule!.requests], [expected.length, expected.length, 3000]);
      assert.equal(rule!.first_limited, limited[0]!.time);
      assert.equal(rule!.last_limited, limited.at(-1)!.time);
      const byKey = new Map<string, number>();
      for (const { by } of limited) byKey.set(by[0]!.key, (byKey.get(by[0]!.key) ?? 0) + 1);
      assert.deepEqual(new Map(rule!.keys.map((each) => [each.key, each.limited])), byKey);
      const rows = summary.timeline.rows;
      assert.equal(
        rows.reduce((sum, row) => sum + row.limited[0]!, 0),
        expected.length,
      );
      assert.equal(
        rows.reduce((sum, row) => sum + row.requests, 0),
        3000,
      );
    });
  }
}

test('the edges of a window are those of the clock in UTC, whatever zone the log is in', async () => {
  const config = files.write(
    'minute.yaml',
    'domain: d\ndescriptors: [{ key: k, rate_limit: { unit: day, requests_per_unit: 1 } }]',
  );
  const log = files.write(
    'zones.log',
    [
      '1.1.1.1 - - [22/Nov/2026:01:59:59 +0200] "GET / HTTP/1.1" 200 0', // 23:59:59 of the 21st
      '1.1.1.1 - - [21/Nov/2026:18:59:59 -0500] "GET / HTTP/1.1" 200 0', // the same second
      '1.1.1.1 - - [22/Nov/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 0', // the next day
      '1.1.1.1 - - [22/Nov/2026:05:30:00 +0530] "GET / HTTP/1.1" 200 0', // the same second
    ].join('\n'),
  );
  const { limited } = await simulate('--config', config, '--log', log, '--descriptor', 'k=%REQ(:PATH)%');
  assert.deepEqual(
    limited.map(({ line, time }) => `${line} ${time}`),
    ['2 2026-11-21T23:59:59Z', '4 2026-11-22T00:00:00Z'],
  );
});

test('a millisecond before and at the edge; a bucket leaks to the millisecond', async () => {
  const config = files.write(
    'edges.yaml',
    `domain: d
descriptors:
- { key: fixed, rate_limit: { unit: second, requests_per_unit: 1 } }
- { key: bucket, rate_limit: { unit: second, requests_per_unit: 4, burst: 1, algorithm: gcra } }`,
  );
  const times = [0, 249, 250, 999, 1000, 1249, 1250];
  const lines = times.map((ms) => envoyLine({ ms: startMs + ms, key: '/' }));
  const log = files.write('edges.log', lines.join('\n'));
  const { limited } = await simulate(
    ...['--config', config, '--log', log, '--descriptor', 'fixed=%REQ(:PATH)%', '--descriptor', 'bucket=x'],
  );
  const of = (rule: string): number[] =>
    limited.filter(({ by }) => by.some((each) => each.rule === rule)).map(({ line }) => times[line - 1]!);
  assert.deepEqual(of('d.fixed'), [249, 250, 999, 1249, 1250]);
  // 999 finds room and takes it until 1249, which takes it again.
  assert.deepEqual(of('d.bucket'), [249, 1000, 1250]);
});
