import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { rotateBySds } from '#test/support/rotation-scenarios.ts';

const rounds = 100;

for (const apiType of ['GRPC', 'DELTA_GRPC'] as const) {
  describe(`rotation under load, by SDS (${apiType})`, () => {
    it(`${rounds} rotations, of client authorities too, and the service killed and restarted: nothing fails`, async () => {
      const outcome = await rotateBySds(apiType, { goesOn: (round) => round <= rounds, lap: rounds });
      assert.deepEqual(outcome.failures, []);
      assert.equal(outcome.rounds, rounds);
      assert.equal(outcome.alive, outcome.kept);
      // A second is promised, but this machine may be busy with other tests: the long run (npm run soak) allows none.
      assert.ok(outcome.late <= rounds / 10, `${outcome.late} late, slowest ${outcome.slowestMs} ms`);
      assert.match(outcome.refusals[0]!, /private key does not belong to the certificate/);
      assert.match(outcome.stats, new RegExp(`^sds\\.edge\\.rotations: ${rounds}$`, 'm'), outcome.stats);
      assert.match(outcome.stats, /^sds\.edge\.update_rejected: 1$/m);
      assert.ok(Number(/^sds\.clients\.rotations: (\d+)$/m.exec(outcome.stats)?.[1]) >= 1, outcome.stats);
    });
  });
}
