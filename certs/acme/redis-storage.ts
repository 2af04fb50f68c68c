import { Redis } from 'ioredis';
import type { Random } from '#gateway/runtime/random.ts';
import { AcmeError } from './acme-error.ts';
import type { AcmeStorage, StorageLock } from './acme-storage.ts';

const extendScript = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end return 0`;
const releaseScript = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`;

/** Keys of one Redis, all with one prefix. Locks end by themselves when their holder dies. */
export class RedisStorage implements AcmeStorage {
  readonly #redis: Redis;
  readonly #prefix: string;
  readonly #random: Random;
  readonly #shown: string;

  /** `url` is `redis://` or `rediss://`, with user and password where needed. */
  constructor(url: string, prefix: string, random: Random) {
    this.#prefix = prefix;
    this.#random = random;
    this.#shown = hideCredentials(url);
    this.#redis = new Redis(url, { maxRetriesPerRequest: 2, connectTimeout: 5000, commandTimeout: 5000 });
    this.#redis.on('error', () => {
      // Told to whoever waits for a command; the connection is tried again by itself.
    });
  }

  get(key: string): Promise<string | null> {
    return this.#guard(() => this.#redis.get(this.#prefix + key));
  }

  put(key: string, value: string, lifetimeMs?: number): Promise<void> {
    return this.#guard(async () => {
      if (lifetimeMs === undefined) await this.#redis.set(this.#prefix + key, value);
      else await this.#redis.set(this.#prefix + key, value, 'PX', Math.ceil(lifetimeMs));
    });
  }

  delete(key: string): Promise<void> {
    return this.#guard(async () => {
      await this.#redis.del(this.#prefix + key);
    });
  }

  list(folder: string): Promise<string[]> {
    return this.#guard(async () => {
      const start = `${this.#prefix}${folder}/`;
      const pattern = `${start.replace(/[\\*?[\]]/g, '\\$&')}*`;
      const names = new Set<string>();
      let cursor = '0';
      do {
        const [next, keys] = await this.#redis.scan(cursor, 'MATCH', pattern, 'COUNT', 1000);
        for (const key of keys) names.add(key.slice(start.length));
        cursor = next;
      } while (cursor !== '0');
      return [...names].sort();
    });
  }

  acquire(key: string, lifetimeMs: number): Promise<StorageLock | null> {
    return this.#guard(async () => {
      const name = `${this.#prefix}lock/${key}`;
      const owner = this.#random.uuid();
      if ((await this.#redis.set(name, owner, 'PX', Math.ceil(lifetimeMs), 'NX')) === null) return null;
      return {
        extend: () =>
          this.#guard(async () => (await this.#redis.eval(extendScript, 1, name, owner, Math.ceil(lifetimeMs))) === 1),
        release: () =>
          this.#guard(async () => {
            await this.#redis.eval(releaseScript, 1, name, owner);
          }),
      };
    });
  }

  close(): Promise<void> {
    this.#redis.disconnect();
    return Promise.resolve();
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw new AcmeError('storage', `${this.#shown}: ${(error as Error).message}`, { cause: error });
    }
  }
}

function hideCredentials(url: string): string {
  try {
    const { protocol, host } = new URL(url);
    return `${protocol}//${host}`;
  } catch {
    throw new AcmeError('settings', 'the storage is not a redis:// or rediss:// URL');
  }
}
