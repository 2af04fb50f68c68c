import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';

/** A Redis of the suite's own, pinned to one core, that keeps nothing on disk. */
export class RedisPeer {
  readonly #child: ChildProcess;
  readonly #client: Redis;

  private constructor(child: ChildProcess, client: Redis) {
    this.#child = child;
    this.#client = client;
  }

  static async start(path: string, port: number, core: number): Promise<RedisPeer> {
    const args = ['-c', String(core), path, '--port', String(port), '--bind', '127.0.0.1', '--save', ''];
    const child = spawn('taskset', [...args, '--appendonly', 'no'], { stdio: 'ignore' });
    const client = new Redis({ port, host: '127.0.0.1', lazyConnect: true, retryStrategy: null });
    client.on('error', () => {});
    for (let i = 0; i < 50; i++) {
      try {
        await client.connect();
        return new RedisPeer(child, client);
      } catch {
        await delay(100);
      }
    }
    child.kill('SIGKILL');
    throw new Error('redis-server does not answer');
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Sum of the counters whose keys match. */
  async sum(pattern: string): Promise<number> {
    let cursor = '0';
    let sum = 0;
    do {
      const [next, keys] = await this.#client.scan(cursor, 'MATCH', pattern, 'COUNT', 10_000);
      cursor = next;
      if (keys.length > 0) for (const value of await this.#client.mget(keys)) sum += Number(value ?? 0);
    } while (cursor !== '0');
    return sum;
  }

  async flush(): Promise<void> {
    await this.#client.flushall();
  }

  stop(): void {
    this.#client.disconnect();
    this.#child.kill('SIGKILL');
  }
}
