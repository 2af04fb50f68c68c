import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { chooseInWindow, nextAskMs, parseWindow, renewalByLife } from '#certs/acme/renewal-plan.ts';
import { createSeededRandom, type Random } from '#gateway/runtime/random.ts';

const dayMs = 86_400_000;

function fixed(value: number): Random {
  return { next: () => value, uint32: () => 0, uuid: () => '' };
}

describe('when certificates are renewed', () => {
  it('at two thirds of a long life and half of a short one, less some jitter', () => {
    assert.equal(renewalByLife(0, 90 * dayMs, fixed(0)), 60 * dayMs);
    assert.equal(renewalByLife(0, 90 * dayMs, fixed(1)), Math.floor(90 * dayMs * (2 / 3 - 0.05)));
    assert.equal(renewalByLife(0, 6 * dayMs, fixed(0)), 3 * dayMs);
  });

  it('in the suggested window, all of it, and nowhere else', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 ** 40 }),
        fc.integer({ min: 1, max: 2 ** 32 }),
        fc.integer(),
        (startMs, length, seed) => {
          const chosen = chooseInWindow({ startMs, endMs: startMs + length }, createSeededRandom(seed));
          assert.ok(chosen >= startMs && chosen < startMs + length);
        },
      ),
    );
  });

  it('a window that makes no sense is none', () => {
    const window = (start: unknown, end: unknown): unknown => ({ suggestedWindow: { start, end } });
    assert.deepEqual(parseWindow(window('2026-01-03T04:00:00Z', '2026-01-04T04:00:00Z')), {
      startMs: Date.UTC(2026, 0, 3, 4),
      endMs: Date.UTC(2026, 0, 4, 4),
    });
    for (const wrong of [null, 'x', {}, window('2026-01-04', '2026-01-03'), window('x', 'y'), window(1, undefined)]) {
      assert.equal(parseWindow(wrong), null);
    }
  });

  it('renewal information is asked for between a minute and a day later, six hours when nothing is said', () => {
    assert.equal(nextAskMs(1000, 0), 61_000);
    assert.equal(nextAskMs(0, null), 6 * 3_600_000);
    assert.equal(nextAskMs(0, 40 * dayMs), dayMs);
    assert.equal(nextAskMs(0, 7_200_000), 7_200_000);
  });
});
