import type { LimitWindow } from './limit-window.ts';

/** One kind of load on a rate-limit service. */
export interface LimitCase {
  readonly name: string;
  readonly description: string;
  readonly load: Omit<LimitWindow, 'port' | 'seconds'>;
}

const closed = { connections: 4, inFlight: 32, rate: null, sweep: false } as const;

/** The load cases, in the order of the table. `rate`: calls a second of the cases that offer a fixed load. */
export function limitCases(rate: number): readonly LimitCase[] {
  const offered = { connections: 4, inFlight: 0, rate, sweep: false } as const;
  return [
    { name: 'hot', description: 'one hot key', load: { ...closed, keys: 1 } },
    { name: '100k', description: '100,000 keys', load: { ...closed, keys: 100_000 } },
    { name: '1m', description: '1,000,000 keys', load: { ...closed, keys: 1_000_000 } },
    { name: 'offered-hot', description: `one hot key, ${rate}/s offered`, load: { ...offered, keys: 1 } },
    { name: 'offered-100k', description: `100,000 keys, ${rate}/s offered`, load: { ...offered, keys: 100_000 } },
  ];
}
