import { findPeer } from '#test/support/peers.ts';
import { startRedis } from '#test/support/redis.ts';
import { limitFolder, startService } from './running-service.ts';

/** What differs between builds of the reference service that are in use. */
export interface ReferenceBuild {
  /**
   * Since 2026: `metadata` of descriptors, patterns with a `*` anywhere, quotas that reject when all of them are over. Before,
   * only a `*` at the end is a pattern and a quota that is over is answered with OK and without `duration_until_reset`.
   */
  readonly metadata: boolean;
}

let build: Promise<ReferenceBuild> | null = null;

/** Asks the reference which build it is, by a file that only newer ones load. */
export function referenceBuild(reference: string): Promise<ReferenceBuild> {
  build ??= probe(reference);
  return build;
}

async function probe(reference: string): Promise<ReferenceBuild> {
  const folder = limitFolder({ 'a.yaml': 'domain: d\ndescriptors: [{ key: a, metadata: { b: c } }]' });
  const redis = await startRedis(findPeer('redis-server')!);
  const { program } = await startService([reference], folder.root, redis.port);
  await program.stop();
  await redis.program.stop();
  folder.remove();
  return { metadata: !program.output().includes("unknown key 'metadata'") };
}
