import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startRedis, type TestRedis } from '#test/support/redis.ts';
import { freePorts } from '#test/support/running-program.ts';

/** One node of a cluster, with a connection of the test's own. */
export interface ClusterNode {
  readonly redis: TestRedis;
  readonly admin: Redis;
  /** Its name in the cluster. */
  readonly id: string;
}

/** A cluster of masters. */
export interface ClusterWorld {
  readonly nodes: readonly ClusterNode[];
  /** Moves a slot with its keys. `halfway` runs while both nodes have a part. */
  move(slot: number, from: ClusterNode, to: ClusterNode, halfway?: () => Promise<void>): Promise<void>;
  /** Adds a replica of a master, and waits until it has all that its master has. */
  addReplica(of: ClusterNode): Promise<ClusterNode>;
  /** The node that has the slot at first. */
  ownerOf(slot: number): ClusterNode;
  /** Sum of a counter, wherever it lies. */
  total(key: string): Promise<number>;
  stop(): Promise<void>;
}

const slots = 16_384;

/** Starts `count` masters that share the slots, and waits until all of them know all. */
export async function startCluster(binary: string, count = 3): Promise<ClusterWorld> {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-cluster-'));
  const ports = await freePorts(count * 2);
  const nodes: ClusterNode[] = [];
  const startNode = async (port: number, busPort: number): Promise<ClusterNode> => {
    const redis = await startRedis(binary, port, [
      '--cluster-enabled',
      'yes',
      '--cluster-config-file',
      join(directory, `nodes-${port}.conf`),
      '--cluster-port',
      String(busPort),
      '--cluster-node-timeout',
      '2000',
      '--cluster-require-full-coverage',
      'no',
      // A replica is served at once: a master waits five seconds for others to come.
      '--repl-diskless-sync-delay',
      '0',
    ]);
    const admin = new Redis(redis.port, '127.0.0.1', { enableReadyCheck: false });
    admin.on('error', () => {});
    return { redis, admin, id: (await admin.call('CLUSTER', 'MYID')) as string };
  };
  for (let i = 0; i < count; i++) nodes.push(await startNode(ports[i]!, ports[count + i]!));
  const replicas: ClusterNode[] = [];
  const share = Math.ceil(slots / count);
  for (const [i, { admin }] of nodes.entries()) {
    const last = Math.min(slots, (i + 1) * share) - 1;
    await admin.call('CLUSTER', 'ADDSLOTSRANGE', String(i * share), String(last));
    if (i > 0) await admin.call('CLUSTER', 'MEET', '127.0.0.1', String(ports[0]), String(ports[count]));
  }
  for (const { redis, admin } of nodes) {
    await redis.program.until(async () => {
      const info = String(await admin.call('CLUSTER', 'INFO'));
      return info.includes('cluster_state:ok') && info.includes(`cluster_slots_assigned:${slots}`);
    });
  }
  return {
    nodes,
    addReplica: async (of) => {
      const [port = 0, busPort = 0] = await freePorts(2);
      const node = await startNode(port, busPort);
      replicas.push(node);
      const { admin, redis } = node;
      await admin.call('CLUSTER', 'MEET', '127.0.0.1', String(ports[0]), String(ports[count]));
      await redis.program.until(async () => String(await admin.call('CLUSTER', 'NODES')).includes(of.id));
      // It may know the name of its master before it may follow it.
      await redis.program.until(async () => (await admin.call('CLUSTER', 'REPLICATE', of.id).catch(() => '')) === 'OK');
      await redis.program.until(async () => (await admin.info('replication')).includes('master_link_status:up'));
      await redis.program.until(async () =>
        String(await nodes.find((each) => each !== of)!.admin.call('CLUSTER', 'NODES')).includes(`slave ${of.id}`),
      );
      return node;
    },
    ownerOf: (slot) => nodes[Math.floor(slot / share)]!,
    total: async (key) => {
      const reads = nodes.map(async ({ admin }) => Number((await admin.get(key).catch(() => 0)) ?? 0));
      return (await Promise.all(reads)).reduce((sum, count) => sum + count, 0);
    },
    move: async (slot, from, to, halfway) => {
      await to.admin.call('CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', from.id);
      await from.admin.call('CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', to.id);
      await halfway?.();
      const keys = (await from.admin.call('CLUSTER', 'GETKEYSINSLOT', String(slot), '1000')) as string[];
      for (const key of keys) {
        await from.admin.call('MIGRATE', '127.0.0.1', String(to.redis.port), key, '0', '2000');
      }
      for (const { admin } of [to, from]) await admin.call('CLUSTER', 'SETSLOT', String(slot), 'NODE', to.id);
    },
    stop: async () => {
      for (const { redis, admin } of [...nodes, ...replicas]) {
        admin.disconnect();
        await redis.program.stop('SIGKILL');
      }
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
