import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { problemError } from '#certs/acme/acme-error.ts';
import { failureDelayMs } from '#certs/acme/failure-backoff.ts';
import { parseRetryAfter } from '#certs/acme/retry-after.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';

const hourMs = 3_600_000;

describe('back-off after failures', () => {
  it('is never shorter than what the authority asked for, and never longer than a day and a fifth otherwise', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.constantFrom('challenge', 'refused', 'rate_limited', 'unreachable', 'settings', 'storage', 'aborted'),
        fc.option(fc.integer({ min: 0, max: 10 * 24 * hourMs }), { nil: null }),
        fc.integer(),
        (failures, kind, retryAfterMs, seed) => {
          const delay = failureDelayMs(failures, kind as 'challenge', retryAfterMs, createSeededRandom(seed));
          assert.ok(delay >= (retryAfterMs ?? 0));
          assert.ok(delay <= Math.max(1.2 * 24 * hourMs, (retryAfterMs ?? 0) + 60_000) + 1, String(delay));
        },
      ),
    );
  });

  it('lets a name fail fewer than five times in its first hour', () => {
    const random = createSeededRandom(1);
    let atMs = 0;
    let attempts = 0;
    for (let failures = 1; atMs < hourMs; failures++) {
      attempts++;
      atMs += failureDelayMs(failures, 'challenge', null, random);
    }
    assert.ok(attempts < 5, String(attempts));
  });
});

describe('Retry-After', () => {
  it('is seconds or a date; anything else is nothing', () => {
    const nowMs = Date.UTC(2026, 0, 1);
    assert.equal(parseRetryAfter('120', nowMs), 120_000);
    assert.equal(parseRetryAfter('Thu, 01 Jan 2026 00:10:00 GMT', nowMs), 600_000);
    assert.equal(parseRetryAfter('Wed, 31 Dec 2025 00:10:00 GMT', nowMs), 0);
    assert.equal(parseRetryAfter('soon', nowMs), null);
    assert.equal(parseRetryAfter(undefined, nowMs), null);
    assert.equal(parseRetryAfter('99999999999', nowMs), 31 * 24 * hourMs);
  });
});

describe('problem documents', () => {
  const kind = (type: string, status: number): string =>
    problemError('x', status, { type: `urn:ietf:params:acme:error:${type}`, detail: 'd' }, null).kind;

  it('say what the next step is', () => {
    assert.equal(kind('rateLimited', 429), 'rate_limited');
    assert.equal(kind('rateLimited', 403), 'rate_limited');
    assert.equal(kind('externalAccountRequired', 403), 'settings');
    assert.equal(kind('userActionRequired', 403), 'settings');
    assert.equal(kind('rejectedIdentifier', 400), 'refused');
    assert.equal(kind('caa', 403), 'challenge');
    assert.equal(kind('serverInternal', 500), 'unreachable');
    assert.equal(kind('unauthorized', 503), 'unreachable');
    assert.equal(problemError('x', 429, {}, 5).kind, 'rate_limited');
  });

  it('are told in one line, with each name and the way out', () => {
    const error = problemError(
      'POST https://ca.test/finalize',
      403,
      {
        type: 'urn:ietf:params:acme:error:caa',
        detail: 'no\u001b[31m',
        subproblems: [{ type: 'urn:ietf:params:acme:error:caa', detail: 'forbids', identifier: { value: 'a.test' } }],
      },
      null,
    );
    assert.equal(
      error.message,
      'POST https://ca.test/finalize: HTTP 403, caa: no\\x1b[31m (a.test: caa forbids) - let the authority issue in the CAA record of the name',
    );
  });
});
