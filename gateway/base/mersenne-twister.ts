const STATE = 624;
const MIDDLE = 397;

/** The 32-bit Mersenne Twister (MT19937): the same sequence for the same seed everywhere. */
export class MersenneTwister {
  readonly #state = new Uint32Array(STATE);
  #next = STATE;

  /** Only the low 32 bits of the seed count. */
  constructor(seed: number) {
    const state = this.#state;
    state[0] = seed >>> 0;
    for (let i = 1; i < STATE; i++) {
      const before = state[i - 1]!;
      state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
    }
  }

  /** The next number, 32 bits, unsigned. */
  uint32(): number {
    if (this.#next === STATE) this.#refill();
    let y = this.#state[this.#next++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  #refill(): void {
    const state = this.#state;
    for (let i = 0; i < STATE; i++) {
      const y = (state[i]! & 0x80000000) | (state[(i + 1) % STATE]! & 0x7fffffff);
      state[i] = state[(i + MIDDLE) % STATE]! ^ (y >>> 1) ^ ((y & 1) * 0x9908b0df);
    }
    this.#next = 0;
  }
}
