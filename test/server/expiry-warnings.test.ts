import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Logger } from '#gateway/base/log.ts';
import { ExpiryWarnings } from '#gateway/server/expiry-warnings.ts';
import { type Certificate, parseCertificates } from '#gateway/transport/validator/certificate.ts';
import { createCertificate } from '#test/support/certificates.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const startMs = Date.UTC(2030, 0, 1);

async function certificate(name: string, fromMs: number, untilMs: number): Promise<Certificate> {
  const made = await createCertificate({ name, notBefore: new Date(fromMs), notAfter: new Date(untilMs) });
  return parseCertificates(made.certificate)[0]!;
}

/** Lines that are logged in the course of `forMs`, with a look every ten minutes. */
function lines(certificates: () => readonly Certificate[], forMs: number): string[] {
  const said: string[] = [];
  const log = new Logger('secret', { write: (level, _component, text) => void said.push(`${level} ${text}`) }, 'info');
  let nowMs = startMs;
  let dueMs = Number.POSITIVE_INFINITY;
  const timer = {
    enabled: true,
    enable: (delayMs: number): void => {
      dueMs = nowMs + delayMs;
    },
    disable: (): void => {},
  };
  const clock = { nowMs: () => nowMs, wallMs: () => nowMs };
  const warnings = new ExpiryWarnings(certificates, clock, { create: () => timer }, log);
  warnings.start();
  while (dueMs <= startMs + forMs) {
    nowMs = dueMs;
    warnings.onTimer();
  }
  warnings.close();
  return said.map((line) => line.replace(/ \(SHA-256 [0-9a-f]{16}\.\.\.\)/, ''));
}

describe('warnings before certificates expire', () => {
  it('one with plenty of life left, and one that has just been renewed, are not spoken of', async () => {
    const long = await certificate('long', startMs - dayMs, startMs + 89 * dayMs);
    const short = await certificate('short', startMs, startMs + hourMs);
    assert.deepEqual(
      lines(() => [long, short], 30 * 60_000),
      [],
    );
  });

  it('once for each step, not at each look, and an error once it has expired', async () => {
    const ending = await certificate('ending', startMs - 88 * dayMs, startMs + 2 * hourMs);
    assert.deepEqual(
      lines(() => [ending], 4 * hourMs),
      [
        "warning certificate 'ending' expires in 120 minutes, 2030-01-01T02:00:00Z",
        "error certificate 'ending' expired 2030-01-01T02:00:00Z and is still in use",
      ],
    );
  });

  it('one that lives for an hour is spoken of by shares of its life', async () => {
    const hour = await certificate('hour', startMs, startMs + hourMs);
    const said = lines(() => [hour], 2 * hourMs);
    assert.equal(said.filter((line) => line.startsWith('warning')).length >= 1, true, said.join('\n'));
    assert.equal(said.filter((line) => line.startsWith('error')).length, 1);
  });

  it('one that was replaced is not spoken of any more', async () => {
    const old = await certificate('old', startMs - 80 * dayMs, startMs + 10 * dayMs);
    const next = await certificate('next', startMs, startMs + 90 * dayMs);
    let asked = 0;
    const said = lines(() => (asked++ === 0 ? [old] : [next]), hourMs);
    assert.deepEqual(said, ["warning certificate 'old' expires in 9 days, 2030-01-11T00:00:00Z"]);
  });
});
