import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import type { Redis } from 'ioredis';
import { Logger } from '#gateway/base/log.ts';
import { systemClock } from '#gateway/runtime/clock.ts';
import { createSystemTimers } from '#gateway/runtime/timers.ts';
import { ConnectionWatch } from '#ratelimit/store/connection-watch.ts';
import { PoolStats, RedisStats } from '#ratelimit/store/redis-stats.ts';

/** A client that does what the test says; the events are those of ioredis. */
class Client extends EventEmitter {
  status = 'wait';

  disconnect(): void {
    this.emit('close');
  }

  opens(): void {
    this.status = 'connect';
    this.emit('connect');
  }

  isReady(): void {
    this.status = 'ready';
    this.emit('ready');
  }

  closes(): void {
    this.status = 'close';
    this.emit('close');
  }

  refuses(message: string): void {
    this.opens();
    this.emit('error', new Error(message));
    this.closes();
  }
}

function watched(): { client: Client; watch: ConnectionWatch; told: string[]; pool: PoolStats } {
  const told: string[] = [];
  const client = new Client();
  const pool = new PoolStats('redis_pool');
  const log = new Logger('redis', { write: (level, _component, text) => told.push(`${level} ${text}`) }, 'warning');
  const watch = new ConnectionWatch(client as unknown as Redis, {
    stats: new RedisStats(),
    pool,
    timers: createSystemTimers(systemClock),
    connectTimeoutMs: 60_000,
    log,
    name: 'r',
  });
  return { client, watch, told, pool };
}

test('a connection that is lost is told once, each reason why there is none once, and its return', () => {
  const { client, told, pool } = watched();
  client.opens();
  client.isReady();
  client.closes();
  for (let i = 0; i < 3; i++) client.refuses('WRONGPASS');
  client.refuses('NOAUTH');
  client.opens();
  client.isReady();
  assert.deepEqual(told, [
    'warning redis r: the connection is lost',
    'warning redis r cannot be used: WRONGPASS',
    'warning redis r cannot be used: NOAUTH',
    'warning redis r is connected again',
  ]);
  assert.deepEqual([pool.cxTotal, pool.cxActive], [6, 1]);
});

test('at the start nothing is lost, and a connection that was given up is no news', () => {
  const { client, watch, told } = watched();
  client.refuses('WRONGPASS');
  client.refuses('WRONGPASS');
  client.opens();
  client.isReady();
  watch.end(true);
  client.opens();
  client.isReady();
  assert.deepEqual(told, []);
});
