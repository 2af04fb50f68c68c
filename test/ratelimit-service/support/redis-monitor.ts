import type { Buffer } from 'node:buffer';
import net from 'node:net';
import { Redis } from 'ioredis';
import { until } from '#test/support/until.ts';

/** What was done to one counter. */
export interface CounterTrace {
  /** Sum of all INCRBY. */
  sum: number;
  /** Smallest and largest seconds of its EXPIREs. */
  minTtl: number;
  maxTtl: number;
}

/** Watches the commands that a Redis gets. */
export interface RedisMonitor {
  /** Counters by key, as MONITOR writes keys. Waits for all commands that were sent before. */
  counters(): Promise<ReadonlyMap<string, CounterTrace>>;
  close(): void;
}

/** Starts to watch the Redis on this port. */
export async function monitorRedis(port: number): Promise<RedisMonitor> {
  const redis = new Redis({ host: '127.0.0.1', port });
  const counters = new Map<string, CounterTrace>();
  let marks = 0;
  let seen = 0;
  let started = false;
  const note = (name: string, key: string, value: string): void => {
    if (name === 'get' && key.startsWith('monitor-mark-')) seen = Number(key.slice(13));
    if (name !== 'incrby' && name !== 'expire') return;
    let trace = counters.get(key);
    if (trace === undefined) {
      trace = { sum: 0, minTtl: Number.POSITIVE_INFINITY, maxTtl: 0 };
      counters.set(key, trace);
    }
    if (name === 'incrby') trace.sum += Number(value);
    else {
      trace.minTtl = Math.min(trace.minTtl, Number(value));
      trace.maxTtl = Math.max(trace.maxTtl, Number(value));
    }
  };
  // The client library loses its place when commands come in the same segment as the answer to MONITOR.
  const socket = net.connect({ port, host: '127.0.0.1' });
  let rest = '';
  socket.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString('latin1')).split('\r\n');
    rest = lines.pop()!;
    for (const line of lines) {
      if (line === '+OK') started = true;
      const words = [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word]) => word!);
      if (words.length > 1) note(words[0]!.toLowerCase(), words[1]!, words[2] ?? '');
    }
  });
  socket.on('error', () => {});
  socket.write('MONITOR\r\n');
  await until(() => started);
  return {
    async counters(): Promise<ReadonlyMap<string, CounterTrace>> {
      const mark = ++marks;
      await redis.get(`monitor-mark-${mark}`);
      await until(() => seen >= mark);
      return counters;
    },
    close(): void {
      socket.destroy();
      redis.disconnect();
    },
  };
}
