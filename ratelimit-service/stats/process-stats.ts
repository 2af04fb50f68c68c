import process from 'node:process';
import type { StatSource } from './stat-source.ts';

/**
 * What of the Go runtime's figures, `ratelimit.go.*`, exists here too. There is no totalAlloc, lookups, mallocs, frees,
 * heapReleased, heapObjects, nextGC, lastGC, pauseTotalNs, numGC, gcCPUPercent and numGoroutine.
 */
export class ProcessStats implements StatSource {
  *gauges(): Generator<readonly [name: string, value: number]> {
    const { heapUsed, heapTotal, rss } = process.memoryUsage();
    yield ['ratelimit.go.alloc', heapUsed];
    yield ['ratelimit.go.heapAlloc', heapUsed];
    yield ['ratelimit.go.heapIdle', Math.max(0, heapTotal - heapUsed)];
    yield ['ratelimit.go.heapInuse', heapUsed];
    yield ['ratelimit.go.heapSys', heapTotal];
    yield ['ratelimit.go.sys', rss];
  }
}

/** Figures of the process under the names that Prometheus' own clients use: name, type, value. */
export function processFigures(): readonly (readonly [name: string, type: 'counter' | 'gauge', value: number])[] {
  const { user, system } = process.cpuUsage();
  return [
    ['process_cpu_seconds_total', 'counter', (user + system) / 1e6],
    ['process_resident_memory_bytes', 'gauge', process.memoryUsage().rss],
  ];
}
