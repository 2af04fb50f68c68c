import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Logger } from '#gateway/base/log.ts';
import { DogStatsdSink } from '#ratelimit/stats/dog-statsd-sink.ts';
import { LogSink } from '#ratelimit/stats/log-sink.ts';
import { mogrify, readMogrifiers } from '#ratelimit/stats/mogrifier.ts';
import { StatsdSink } from '#ratelimit/stats/statsd-sink.ts';
import { freePorts } from '#test/support/running-program.ts';
import { until } from '#test/support/until.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';
import { addUp, receiveTcp, receiveUdp } from '../support/line-receiver.ts';
import { limitFolder, ownService, startService } from '../support/running-service.ts';

function logger(): { readonly log: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  return {
    log: new Logger('stats', { write: (level, _component, message) => lines.push(`${level} ${message}`) }, 'debug'),
    lines,
  };
}

function dropped(sink: StatsdSink | DogStatsdSink): number {
  return [...sink.counters()].find(([name]) => name.endsWith('dropped_lines'))![1];
}

/**
 * Moves the virtual clock on, a little in each turn, until `condition` holds. That is no way to wait for what comes over a
 * socket: a busy machine may take so many turns over it that the sink gives the connection up.
 */
async function advanceUntil(time: VirtualTime, condition: () => boolean): Promise<void> {
  await until(() => {
    time.advance(50);
    return condition();
  });
}

test('statsd that is away: what fits waits for it, the rest is dropped and counted', async () => {
  const [port = 0] = await freePorts(1);
  const time = new VirtualTime();
  const { log, lines } = logger();
  const sink = new StatsdSink({ host: '127.0.0.1', port }, [['a', 'b']], time.timers, log);
  sink.counter('early', 3);
  sink.flush();
  await until(() => lines.length === 1);
  assert.match(lines[0]!, /^warning statsd: no connection to 127\.0\.0\.1:\d+: /);
  const long = 'x'.repeat(1000);
  for (let i = 0; i < 10_000; i++) sink.counter(long, 1);
  sink.flush();
  const lost = dropped(sink);
  assert.ok(lost > 5000 && lost < 7000, `${lost} lines dropped`);
  const server = await receiveTcp(port);
  try {
    await advanceUntil(time, () => lines.some((line) => line.startsWith('warning statsd: connected')));
    await until(() => server.lines.length === 10_001 - lost);
    assert.equal(server.lines[0], 'early.__a=b:3|c');
    // What was dropped stays dropped; all goes on.
    sink.counter('late\nforged:9|c\r', 1);
    sink.gauge('level', 7);
    sink.timer('time', 12, 1);
    sink.timer('time', 0, 49);
    sink.flush();
    await until(() => server.lines.length === 10_005 - lost);
    assert.deepEqual(server.lines.slice(-4, -1), ['late_forged:9|c_.__a=b:1|c', 'level.__a=b:7|g', 'time.__a=b:12|ms']);
    assert.equal(addUp(server.lines).get('time.__a=b|ms'), 50);
    assert.equal(dropped(sink), lost);
  } finally {
    await sink.close();
    server.close();
  }
});

test('statsd that goes and comes back', async () => {
  const time = new VirtualTime();
  const { log } = logger();
  let server = await receiveTcp();
  const { port } = server;
  const sink = new StatsdSink({ host: '127.0.0.1', port }, [], time.timers, log);
  try {
    sink.counter('one', 1);
    sink.flush();
    await until(() => server.lines.length === 1);
    server.close();
    const lost = (): boolean => {
      sink.counter('between', 1);
      sink.flush();
      return time.nowMs() > 5000;
    };
    await advanceUntil(time, lost);
    server = await receiveTcp(port);
    await advanceUntil(time, () => [...sink.counters()].find(([name]) => name.endsWith('reconnects'))![1] === 1);
    await until(() => server.lines.length > 0);
    sink.counter('two', 1);
    sink.flush();
    await until(() => server.lines.includes('two:1|c'));
  } finally {
    await sink.close();
    server.close();
  }
});

test('statsd that does not read is left after a while, and never waited for', async () => {
  const time = new VirtualTime();
  const { log, lines } = logger();
  const server = await receiveTcp();
  const sink = new StatsdSink({ host: '127.0.0.1', port: server.port }, [], time.timers, log);
  try {
    sink.counter('one', 1);
    sink.flush();
    await until(() => server.lines.length === 1);
    server.pause();
    const long = 'x'.repeat(1000);
    for (let i = 0; i < 40; i++) {
      for (let n = 0; n < 500; n++) sink.counter(long, 1);
      sink.flush();
      await new Promise((done) => setImmediate(done));
    }
    assert.ok(dropped(sink) > 0);
    await advanceUntil(time, () => lines.some((line) => line.includes('nothing was taken for 10000 ms')));
    server.resume();
    await advanceUntil(time, () => lines.some((line) => line.startsWith('warning statsd: connected')));
    sink.counter('two', 1);
    sink.flush();
    await until(() => server.lines.includes('two:1|c'));
    assert.equal(server.connections(), 2);
  } finally {
    await sink.close();
    server.close();
  }
});

test('the last flush is sent before the sink is closed, and a server that hangs holds nothing up', async () => {
  const time = new VirtualTime();
  const server = await receiveTcp();
  const sink = new StatsdSink({ host: '127.0.0.1', port: server.port }, [], time.timers, logger().log);
  sink.counter('a', 1);
  sink.flush();
  await until(() => server.lines.length === 1);
  sink.counter('b', 1);
  sink.flush();
  await sink.close();
  await until(() => server.lines.length === 2);
  const hanging = new StatsdSink({ host: '127.0.0.1', port: server.port }, [], time.timers, logger().log);
  hanging.counter('c', 1);
  hanging.flush();
  await until(() => server.lines.length === 3);
  server.pause();
  for (let n = 0; n < 3000; n++) hanging.counter('x'.repeat(1000), 1);
  hanging.flush();
  let closed = false;
  const closing = hanging.close().then(() => {
    closed = true;
  });
  await advanceUntil(time, () => closed);
  await closing;
  server.close();
});

test('DogStatsD: nobody there costs nothing; lines fill datagrams', async () => {
  const [port = 0] = await freePorts(1);
  const away = new DogStatsdSink({ host: '127.0.0.1', port }, [], [], logger().log);
  for (let i = 0; i < 5000; i++) away.counter(`some.counter.with.a.name.${i}`, 1);
  away.flush();
  await away.close();
  away.counter('after', 1);
  away.flush();
  assert.ok(dropped(away) >= 1);
  const { log, lines } = logger();
  // A label is 63 octets at most: no name server is asked, and none is waited for.
  const noName = 'x'.repeat(64);
  const nowhere = new DogStatsdSink({ host: noName, port }, [], [], log);
  nowhere.counter('a', 1);
  nowhere.flush();
  await until(() => dropped(nowhere) === 1);
  assert.ok(lines[0]!.startsWith(`warning dogstatsd: ${noName}:${port}: `), lines[0]);
  await nowhere.close();
  const server = await receiveUdp();
  const sink = new DogStatsdSink(
    { host: '127.0.0.1', port: server.port },
    [
      ['z', '1'],
      ['b', 'x.y'],
    ],
    [],
    logger().log,
  );
  sink.counter('c\nd', 2);
  sink.gauge('g', 3);
  sink.timer('t', 5, 1);
  await sink.close();
  await until(() => server.lines.length === 3);
  assert.deepEqual(server.lines, ['c_d:2|c|#b:x_y,z:1', 'g:3|g|#b:x_y,z:1', 't:5.000000|ms|#b:x_y,z:1']);
  server.close();
});

test('mogrifiers: the first that matches, groups, and what is wrong with them', () => {
  const read = (env: Readonly<Record<string, string>>): string => {
    const problems: string[] = [];
    readMogrifiers(['A'], env, problems);
    return problems.join('\n');
  };
  const prefix = 'DOG_STATSD_MOGRIFIER_A_';
  assert.equal(read({}), 'no PATTERN specified for mogrifier A');
  assert.equal(read({ [`${prefix}PATTERN`]: 'a' }), 'no NAME specified for mogrifier A');
  assert.match(read({ [`${prefix}PATTERN`]: 'a(' }), /^failed to compile pattern for A: a\(: /);
  // RE2 has no look-ahead.
  assert.match(read({ [`${prefix}PATTERN`]: 'a(?=b)' }), /^failed to compile pattern for A/);
  const good = { [`${prefix}PATTERN`]: 'a', [`${prefix}NAME`]: 'b' };
  assert.equal(read({ ...good, [`${prefix}TAGS`]: 'x' }), 'failed to load mogrifier A: invalid map item: "x"');
  assert.equal(read({ ...good, [`${prefix}TAGS`]: 'x:' }), 'no value specified for tag x for mogrifier A');
  assert.equal(read({ ...good, [`${prefix}TAGS`]: ':x' }), 'no key specified for tag  for mogrifier A');
  const mogrifiers = readMogrifiers(
    ['A', 'B'],
    {
      ...{ [`${prefix}PATTERN`]: '^a\\.(\\w+)(\\.x)?$', [`${prefix}NAME`]: '$1-$2-$3', [`${prefix}TAGS`]: 't:$1,u:$0' },
      DOG_STATSD_MOGRIFIER_B_PATTERN: 'a',
      DOG_STATSD_MOGRIFIER_B_NAME: 'second',
    },
    [],
  );
  assert.deepEqual(mogrify(mogrifiers, 'a.b'), { name: 'b--$3', tags: ['t:b', 'u:a.b'] });
  assert.deepEqual(mogrify(mogrifiers, 'xax'), { name: 'second', tags: [] });
  assert.deepEqual(mogrify(mogrifiers, 'none'), { name: 'none', tags: [] });
});

test('the log: lines as the reference writes them', () => {
  const time = new VirtualTime(1_795_000_000_000 - 1000);
  const lines: string[] = [];
  const sink = new LogSink(
    [
      ['b', '2'],
      ['a', '1'],
    ],
    time,
    (line) => lines.push(line),
  );
  sink.counter('c', 4);
  sink.timer('t', 3, 2);
  assert.deepEqual(lines, [
    '{"level":"debug","ts":1795000000.000000,"logger":"gostats.loggingsink","msg":"flushing counter","json":{"name":"c.__a=1.__b=2","type":"counter","value":"4.000000"}}\n',
    '{"level":"debug","ts":1795000000.000000,"logger":"gostats.loggingsink","msg":"flushing timer","json":{"name":"t.__a=1.__b=2","type":"timer","value":"3.000000","calls":"2"}}\n',
  ]);
});

test('Prometheus: a port that is taken is told, and the service goes on', async () => {
  const folder = limitFolder({ 'a.yaml': 'domain: d' });
  const taken = await receiveTcp();
  const env = { BACKEND_TYPE: 'memory', USE_PROMETHEUS: 'true', PROMETHEUS_ADDR: `127.0.0.1:${taken.port}` };
  const running = await startService(ownService(), folder.root, 1, env);
  try {
    const told = /\[error\]\[ratelimit\] PROMETHEUS_ADDR=127\.0\.0\.1:\d+: the address is in use/;
    await running.program.until(() => told.test(running.program.output()));
  } finally {
    await running.program.stop();
    taken.close();
    folder.remove();
  }
});
