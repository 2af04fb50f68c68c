import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { rehearseHandshake } from '#gateway/transport/rehearsal/rehearse-handshake.ts';
import type { Finding } from '#gateway/transport/rehearsal/rules.ts';
import { createCertificate, type TestCertificate } from '#test/support/certificates.ts';
import { until } from '#test/support/until.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

let alive: ReturnType<typeof setInterval>;
before(() => {
  alive = setInterval(() => {}, 60_000);
});
after(() => clearInterval(alive));

async function rehearse(leaf: TestCertificate, privateKey = leaf.privateKey): Promise<readonly Finding[]> {
  const secret = { certificateChain: leaf.certificate, privateKey };
  // Time stands still: however slow the machine is, no handshake takes too long.
  const { timers } = new VirtualTime();
  return await new Promise((told) => rehearseHandshake(secret, true, timers, told));
}

describe('handshake in memory', () => {
  it('a certificate that works, whatever its key and names', async () => {
    for (const key of ['ecdsa', 'rsa'] as const) {
      for (const sans of [['dns:a.test'], ['dns:*.a.test'], ['ip:127.0.0.1'], []]) {
        assert.deepEqual(await rehearse(await createCertificate({ name: 'A name, with spaces', key, sans })), []);
      }
    }
  });

  it('an expired certificate works: its dates are judged elsewhere', async () => {
    const expired = await createCertificate({ name: 'x', notBefore: new Date(0), notAfter: new Date(1e12) });
    assert.deepEqual(await rehearse(expired), []);
  });

  it('a key that does not belong is found by the runtime as well', async () => {
    const leaf = await createCertificate({ name: 'x' });
    const findings = await rehearse(leaf, (await createCertificate({ name: 'y' })).privateKey);
    assert.deepEqual(
      findings.map(({ code, severity }) => `${severity} ${code}`),
      ['refuse handshake'],
    );
  });

  it('one that takes too long is let through with a warning, and what comes later is not told', async () => {
    const leaf = await createCertificate({ name: 'x' });
    const time = new VirtualTime();
    const told: string[][] = [];
    rehearseHandshake(
      { certificateChain: leaf.certificate, privateKey: leaf.privateKey },
      true,
      time.timers,
      (found) => {
        told.push(found.map(({ code, severity }) => `${severity} ${code}`));
      },
    );
    time.advance(3000);
    assert.deepEqual(told, [['warn handshake-slow']]);
    let turns = 0;
    await until(() => ++turns > 50);
    assert.equal(told.length, 1);
  });
});
