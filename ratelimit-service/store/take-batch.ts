import type { Cluster, Redis } from 'ioredis';
import type { CounterWaiter } from './counter-store.ts';
import { answerTake, type Take } from './take.ts';
import { pushTakeArguments, repliesPerTake, takeScript, takeScriptSha } from './take-script.ts';

/** The two commands of scripts, of a server or a cluster. */
export type ScriptRunner = Pick<Redis, 'evalsha' | 'eval'> | Pick<Cluster, 'evalsha' | 'eval'>;

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

  /** How many takes it holds. */
  get size(): number {
    return this.#takes.length;
  }

  /** Everyone has an answer. */
  get settled(): boolean {
    return this.#settled;
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

  /** The script's name, the number of its keys, the keys and what follows them: the arguments of EVALSHA. */
  command(): [sha: string, keys: number, ...values: (string | number)[]] {
    return [takeScriptSha, this.#keys.size, ...this.#keys.keys(), ...this.#arguments];
  }

  /** Runs the script by its name, and by its text on a server that has not seen it (a new one, or after SCRIPT FLUSH). */
  async run(redis: ScriptRunner): Promise<unknown> {
    const [sha, size, ...values] = this.command();
    return await redis.evalsha(sha, size, ...values).catch((error: Error) => {
      if (!isUnknownScript(error)) throw error;
      return this.runText(redis);
    });
  }

  /** Runs the script by its text. */
  async runText(redis: ScriptRunner): Promise<unknown> {
    const [, size, ...values] = this.command();
    return await redis.eval(takeScript, size, ...values);
  }

  /** Runs the script and answers everyone. */
  async send(redis: ScriptRunner): Promise<void> {
    try {
      this.answer(await this.run(redis));
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

  /** Answers everyone with the script's reply, unless they have an answer; false when it is none of this script. */
  answer(reply: unknown): boolean {
    if (
      !Array.isArray(reply) ||
      reply.length !== this.#takes.length * repliesPerTake ||
      !reply.every(Number.isFinite)
    ) {
      this.fail('redis: the script answered something else');
      return false;
    }
    if (this.#settled) return true;
    this.#settled = true;
    this.#takes.forEach((take, i) => {
      const at = i * repliesPerTake;
      const waiter = this.#waiters[i]!;
      if (reply[at] === 2) waiter.onCounterError(take.index, `redis: ${take.key} holds something that is no limit`);
      else answerTake(take, reply[at] === 1, reply[at + 1] as number, reply[at + 2] as number, waiter);
    });
    return true;
  }
}

/** Whether the server has not seen the script: nothing was executed. */
export function isUnknownScript(error: Error): boolean {
  return error.message.startsWith('NOSCRIPT');
}
