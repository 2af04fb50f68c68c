import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type DemoAnswer, FrontProxy } from '#test/support/front-proxy.ts';
import { findPeer, peerTest } from '#test/support/peers.ts';
import { startRedis } from '#test/support/redis.ts';
import { portIsOpen } from '#test/support/running-program.ts';
import { mintJwt } from '../../deploy/front-proxy/jwt-keys.ts';

type Answers = Record<string, DemoAnswer>;

/** Asks everything the page of the demo offers, and checks what it promises. */
async function exercise(demo: FrontProxy): Promise<Answers> {
  const answers: Answers = {};
  const hello = /^Hello from behind sluice \(service [12]\)! hostname: \S+ resolved hostname: \S+\n$/;
  for (const [name, port, path] of [
    ['service 1', demo.http, '/service/1'],
    ['service 2', demo.http, '/service/2?x=1'],
    ['service 1, other port', demo.httpAlt, '/service/1'],
    ['nothing there', demo.http, '/nothing'],
    ['redirect', demo.http, '/secure?a=b'],
    ['no token', demo.http, '/private'],
  ] as const) {
    answers[name] = await demo.get(port, path);
  }
  assert.match(answers['service 1']!.body, hello);
  assert.match(answers['service 2']!.body, /\(service 2\)/);
  assert.equal(answers['nothing there']!.status, 404);
  assert.equal(answers['redirect']!.status, 301);
  assert.ok(answers['redirect']!.headers.includes('location: https://localhost:HTTPS/secure?a=b'));
  assert.equal(answers['no token']!.status, 401);
  const nowSeconds = Math.floor(Date.now() / 1000);
  const token = await mintJwt(demo.data, nowSeconds);
  answers['token'] = await demo.get(demo.http, '/private', { authorization: `Bearer ${token}` });
  assert.equal(answers['token'].status, 200);
  const old = await mintJwt(demo.data, nowSeconds - 9000);
  answers['old token'] = await demo.get(demo.http, '/private', { authorization: `Bearer ${old}` });
  assert.equal(answers['old token'].status, 401);
  for (const path of ['/service/1', '/service/2', '/secure', '/private']) {
    answers[`https ${path}`] = await demo.getSecure(path);
  }
  assert.match(answers['https /secure']!.body, hello);
  for (let i = 0; i < 8; i++) assert.equal((await demo.get(demo.http, '/flaky')).status, 200, `/flaky, request ${i}`);
  const clusters = await (await fetch(`http://127.0.0.1:${demo.admin}/clusters`)).text();
  assert.match(clusters, /^flaky::127\.0\.0\.1:\d+::health_flags::.*\/failed_outlier_check/m);
  Object.assign(answers, await exerciseLimit(demo));
  return answers;
}

const minuteMs = 60_000;

/** Waits for the next minute, which nothing has been counted in, unless more than `leftMs` of this one are left. */
async function freshMinute(leftMs: number): Promise<void> {
  const restMs = minuteMs - (Date.now() % minuteMs);
  if (restMs <= leftMs) await delay(restMs + 1);
}

/**
 * Six requests of one minute. When the minute ends in between, or the service takes longer than the filter waits for it (then
 * the demo lets requests pass), they are made again in the next one.
 */
async function exerciseLimit(demo: FrontProxy): Promise<Answers> {
  for (let attempt = 1; ; attempt++) {
    await freshMinute(attempt === 1 ? 3000 : minuteMs);
    const minute = Math.floor(Date.now() / minuteMs);
    const answers: Answers = {};
    for (let i = 1; i <= 6; i++) answers[`limited ${i}`] = await demo.get(demo.http, '/limited');
    const turned = Math.floor(Date.now() / minuteMs) !== minute;
    const unasked = Object.values(answers).some(({ headers }) => !headers.join('\n').includes('x-ratelimit-limit: '));
    if ((turned || unasked) && attempt < 3) continue;
    for (let i = 1; i <= 5; i++) assert.equal(answers[`limited ${i}`]!.status, 200);
    const sixth = answers['limited 6']!;
    assert.equal(sixth.status, 429);
    assert.ok(sixth.headers.includes('x-ratelimit-limit: 5, 5;w=60'), sixth.headers.join('\n'));
    assert.ok(sixth.headers.includes('x-ratelimit-remaining: 0'));
    return answers;
  }
}

async function run(env: Readonly<Record<string, string>>): Promise<Answers> {
  const demo = await FrontProxy.start(env);
  try {
    return await exercise(demo);
  } finally {
    const code = await demo.stop('SIGINT');
    assert.equal(code, 0, demo.program.output());
    for (const port of [demo.http, demo.https, demo.internal + 1, demo.internal + 4]) {
      assert.equal(await portIsOpen(port), false, `port ${port} is still open`);
    }
  }
}

let bySluice: Answers | null = null;

test('the demo does what it promises, with sluice in front', async () => {
  bySluice = await run({ REDIS_URL: '' });
});

peerTest('envoy', 'the same file makes Envoy answer the same', async (envoy) => {
  const byEnvoy = await run({ REDIS_URL: '', SLUICE_DEMO_ENVOY: envoy });
  if (bySluice !== null) assert.deepEqual(bySluice, byEnvoy);
});

peerTest('redis-server', 'with REDIS_URL the counters are in Redis', async (binary) => {
  const redis = await startRedis(binary);
  const envoy = findPeer('envoy');
  try {
    const demo = await FrontProxy.start({
      REDIS_URL: `redis://127.0.0.1:${redis.port}`,
      ...(envoy === null ? {} : { SLUICE_DEMO_ENVOY: envoy }),
    });
    try {
      await exerciseLimit(demo);
    } finally {
      await demo.stop();
    }
  } finally {
    await redis.program.stop();
  }
});
