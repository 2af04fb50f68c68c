import type { Redis } from 'ioredis';
import type { CounterWaiter } from './counter-store.ts';
import { answerTake, type Take } from './take.ts';
import { pushTakeArguments, repliesPerTake, takeScript, takeScriptSha } from './take-script.ts';

/** The two commands of scripts, of a server or a cluster. */
export type ScriptRunner = Pick<Redis, 'evalsha' | 'eval'>;

/** Everything that one turn's calls take in one place: one call of the script. */
export class TakeBatch {
  readonly #keys = new Map<string, number>();
  readonly #arguments: (string | number)[];
  readonly #takes: Take[] = [];
  readonly #waiters: CounterWaiter[] = [];
  #settled = false;

  /** `nowUs` replaces the server's time, for replays; 0 for the server's. */
  constructor(nowUs = 0) {
    this.#arguments = [nowUs];
  }

  /** Adds one call. `ttlSeconds` gives the life of a fixed window's key. */
  add(takes: readonly Take[], allOrNothing: boolean, waiter: CounterWaiter, ttlSeconds: (take: Take) => number): void {
    this.#arguments.push(takes.length, allOrNothing ? 1 : 0);
    for (const take of takes) {
      let keyAt = this.#keys.get(take.key);
      if (keyAt === undefined) {
        keyAt = this.#keys.size + 1;
        this.#keys.set(take.key, keyAt);
      }
      pushTakeArguments(this.#arguments, take, keyAt, ttlSeconds(take));
      this.#takes.push(take);
      this.#waiters.push(waiter);
    }
  }

  /** Runs the script by its name, and by its text on a server that has not seen it (a new one, or after SCRIPT FLUSH). */
  async send(redis: ScriptRunner): Promise<void> {
    const { size } = this.#keys;
    const values = [...this.#keys.keys(), ...this.#arguments];
    try {
      const reply = await redis.evalsha(takeScriptSha, size, ...values).catch((error: Error) => {
        if (!error.message.startsWith('NOSCRIPT')) throw error;
        return redis.eval(takeScript, size, ...values);
      });
      this.#answer(reply as readonly number[]);
    } catch (error) {
      this.fail(`redis: ${(error as Error).message}`);
    }
  }

  /** Answers everyone with an error, unless they have an answer. */
  fail(message: string): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#takes.forEach((take, i) => {
      this.#waiters[i]!.onCounterError(take.index, message);
    });
  }

  #answer(reply: readonly number[]): void {
    if (this.#settled) return;
    if (!Array.isArray(reply) || reply.length !== this.#takes.length * repliesPerTake) {
      this.fail('redis: the script answered something else');
      return;
    }
    this.#settled = true;
    this.#takes.forEach((take, i) => {
      const at = i * repliesPerTake;
      const waiter = this.#waiters[i]!;
      if (reply[at] === 2) waiter.onCounterError(take.index, `redis: ${take.key} holds something that is no limit`);
      else answerTake(take, reply[at] === 1, reply[at + 1]!, reply[at + 2]!, waiter);
    });
  }
}
