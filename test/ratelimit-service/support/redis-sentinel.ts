import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startRedis, type TestRedis } from '#test/support/redis.ts';
import { freePorts, portIsOpen, type RunningProgram, startProgram } from '#test/support/running-program.ts';

/** A master, a replica and a sentinel that watches them under the name `limits`. */
export interface SentinelWorld {
  readonly master: TestRedis;
  readonly replica: TestRedis;
  /** Port of the sentinel. */
  readonly port: number;
  readonly sentinel: Redis;
  /** Port of the server that is the master by now. */
  masterPort(): Promise<number>;
  stop(): Promise<void>;
}

/** Starts them and waits until a fail-over is possible. `password`: of the sentinel. */
export async function startSentinel(binary: string, password = ''): Promise<SentinelWorld> {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-sentinel-'));
  // A replica is served at once: a master waits five seconds for others to come.
  const master = await startRedis(binary, 0, ['--repl-diskless-sync-delay', '0']);
  const replica = await startRedis(binary, 0, ['--replicaof', `127.0.0.1 ${master.port}`]);
  const [port = 0] = await freePorts(1);
  const file = join(directory, 'sentinel.conf');
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `sentinel monitor limits 127.0.0.1 ${master.port} 1`,
    'sentinel down-after-milliseconds limits 500',
    'sentinel failover-timeout limits 3000',
    ...(password === '' ? [] : [`requirepass ${password}`]),
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  const program: RunningProgram = startProgram([binary, file, '--sentinel']);
  await program.until(async () => await portIsOpen(port));
  const sentinel = new Redis(port, '127.0.0.1', { enableReadyCheck: false, ...(password === '' ? {} : { password }) });
  sentinel.on('error', () => {});
  // Otherwise it asks servers how they are every ten seconds, and waits for eight before it tells an old master that it is one
  // no more. Redis before 7.0 does so all the same.
  await sentinel.call('SENTINEL', 'DEBUG', 'INFO-PERIOD', '200', 'PUBLISH-PERIOD', '200').catch(() => {});
  // The sentinel finds the replica in the master's INFO, and takes it when it has seen its link to be up.
  await program.until(async () => {
    const replicas = (await sentinel.call('SENTINEL', 'REPLICAS', 'limits')) as string[][];
    const [first] = replicas;
    return first !== undefined && first[first.indexOf('master-link-status') + 1] === 'ok';
  }, 30_000);
  return {
    master,
    replica,
    port,
    sentinel,
    masterPort: async () => {
      const address = (await sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'limits')) as string[];
      return Number(address[1]);
    },
    stop: async () => {
      sentinel.disconnect();
      for (const each of [program, master.program, replica.program]) await each.stop('SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
