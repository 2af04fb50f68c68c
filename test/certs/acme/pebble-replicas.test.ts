import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runAcme, startAcme, withFolder } from '#test/support/acme-run.ts';
import { startPebble } from '#test/support/pebble.ts';
import { findPeer, firstMissing, peerTest } from '#test/support/peers.ts';
import { startRedis } from '#test/support/redis.ts';
import { freePorts } from '#test/support/running-program.ts';
import { until } from '#test/support/until.ts';

peerTest(
  firstMissing('pebble', 'redis-server'),
  'two replicas with one Redis: one account, one order, either answers the challenge',
  async (binary) => {
    const redis = await startRedis(findPeer('redis-server')!);
    // Pebble can reach the first replica only: when the second makes the order, the first answers for it.
    const [reachable = 0, other = 0] = await freePorts(2);
    const pebble = await startPebble(binary, {
      httpPort: reachable,
      faults: { PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '0' },
    });
    try {
      await withFolder(async (dir) => {
        const url = join(dir, 'redis-url');
        writeFileSync(url, `redis://127.0.0.1:${redis.port}/3\n`);
        writeFileSync(join(dir, 'secret'), 'correct horse battery\n', { mode: 0o600 });
        const shared = [
          '--directory',
          pebble.directoryUrl,
          '--ca',
          pebble.caFile,
          '--storage',
          `@${url}`,
          '--passphrase-file',
          join(dir, 'secret'),
        ];
        const names = ['--name', 'edge', '--dns', 'a.replica.test', '--dns', 'b.replica.test'];
        const more = ['--agree-tos', '--listen', '127.0.0.1:0'];
        const replicas = [reachable, other].map((port) =>
          startAcme('serve', ...shared, ...more, '--http-listen', `127.0.0.1:${port}`, ...names),
        );
        try {
          const issued = (): boolean => replicas.some((replica) => /certificate 'edge' issued/.test(replica.log()));
          await until(issued);
          const status = await runAcme('status', ...shared, '--json');
          const { certificates, accounts } = JSON.parse(status.text);
          assert.equal(certificates[0].state, 'ok', status.text + status.log);
          assert.equal(accounts.length, 1);
          assert.equal(pebble.count('POST /order-plz'), 1, pebble.output());
          const registered = replicas.map((replica) => /is registered/.test(replica.log()));
          assert.ok(registered.includes(true));
          // Further certificates of a replica that the authority cannot reach.
          const two = await runAcme('issue', ...shared, '--name', 'two', '--dns', 'two.replica.test');
          assert.equal(two.code, 0, two.log + two.text);
        } finally {
          for (const replica of replicas) {
            const ended = await replica.stop();
            assert.equal(ended.code, 0, ended.log);
            assert.ok(!/PRIVATE KEY|correct horse/.test(ended.log));
          }
        }
      });
    } finally {
      await pebble.stop();
      await redis.program.stop();
    }
  },
);
