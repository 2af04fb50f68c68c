import type { RuntimeFlags } from '#gateway/api/context.ts';
import type { Route } from '#gateway/api/route.ts';
import type { StreamInfo } from '#gateway/api/stream-info.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import type { HashPolicies } from './hash-policy.ts';
import type { RouteTarget } from './selected-route.ts';

/** One cluster of a weighted choice. */
export interface WeightedChoice {
  readonly name: string;
  readonly weight: number;
  readonly target: RouteTarget;
}

/** Where the random number of a weighted choice comes from. */
export interface WeightedSource {
  /** Read the number from this request header, or ''. */
  readonly header: string;
  /** Use the hash of the route's policies, or null. */
  readonly hash: HashPolicies | null;
  /** Weights may be changed at run time under `<prefix>.<cluster>`; '' when not. */
  readonly runtimePrefix: string;
}

/** Chooses one of several clusters by weight. Pure. */
export class WeightedTarget implements RouteTarget {
  readonly #choices: readonly WeightedChoice[];
  readonly #total: number;
  readonly #source: WeightedSource;
  readonly #runtime: RuntimeFlags;

  constructor(choices: readonly WeightedChoice[], source: WeightedSource, runtime: RuntimeFlags) {
    this.#choices = choices;
    this.#total = choices.reduce((sum, choice) => sum + choice.weight, 0);
    this.#source = source;
    this.#runtime = runtime;
  }

  choose(head: RequestHead, streamInfo: StreamInfo, random: number): Route | null {
    const prefix = this.#source.runtimePrefix;
    let total = this.#total;
    let weights: number[] | null = null;
    if (prefix !== '') {
      weights = this.#choices.map(({ name, weight }) => this.#runtime.number(`${prefix}.${name}`, weight));
      total = weights.reduce((sum, weight) => sum + weight, 0);
    }
    if (total <= 0) return null;
    let left = this.#draw(head, streamInfo, random, total);
    for (let i = 0; i < this.#choices.length; i++) {
      const choice = this.#choices[i]!;
      const weight = weights === null ? choice.weight : weights[i]!;
      if (left < weight) return choice.target.choose(head, streamInfo, random);
      left -= weight;
    }
    return null;
  }

  #draw(head: RequestHead, streamInfo: StreamInfo, random: number, total: number): number {
    const { header, hash } = this.#source;
    if (header !== '') {
      const text = head.get(header);
      if (text !== null && /^\d{1,19}$/.test(text)) return Number(BigInt(text) % BigInt(total));
    }
    if (hash !== null) {
      const value = hash.hash(head, streamInfo);
      if (value !== null) return Number(value % BigInt(total));
    }
    return random % total;
  }
}
