import { randomUUID } from 'node:crypto';

/** Source of randomness. Injected everywhere so that simulations can be seeded. */
export interface Random {
  /** Uniform in [0, 1). Not for secrets. */
  next(): number;
  /** Uniform 32-bit unsigned integer. Not for secrets. */
  uint32(): number;
  /** A random (version 4) UUID in lower case. RFC 9562 section 5.4. */
  uuid(): string;
}

const hex: readonly string[] = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));

/** Real randomness; UUIDs come from the system's secure generator. */
export function createSystemRandom(): Random {
  return {
    next: () => Math.random(),
    uint32: () => Math.floor(Math.random() * 0x1_0000_0000),
    uuid: () => randomUUID(),
  };
}

/** A small seeded generator (mulberry32) for tests and simulations. */
export function createSeededRandom(seed: number): Random {
  let state = seed >>> 0;
  const uint32 = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
  return {
    next: () => uint32() / 0x1_0000_0000,
    uint32,
    uuid(): string {
      const bytes = new Uint8Array(16);
      for (let i = 0; i < 16; i++) bytes[i] = uint32() & 0xff;
      return formatUuid(bytes, 0);
    },
  };
}

function formatUuid(b: Uint8Array, o: number): string {
  const h = (i: number): string => hex[b[o + i]!]!;
  const version = hex[(b[o + 6]! & 0x0f) | 0x40]!;
  const variant = hex[(b[o + 8]! & 0x3f) | 0x80]!;
  const head = `${h(0)}${h(1)}${h(2)}${h(3)}-${h(4)}${h(5)}-${version}${h(7)}-${variant}${h(9)}`;
  return `${head}-${h(10)}${h(11)}${h(12)}${h(13)}${h(14)}${h(15)}`;
}
