import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { type BreakerOptions, BreakerState, CircuitBreaker, refusedTicket } from '#ratelimit/store/circuit-breaker.ts';

const options: BreakerOptions = {
  consecutiveFailures: 5,
  failureShare: 0.5,
  minimumBatches: 20,
  windowMs: 1000,
  backoffMs: 100,
  maxBackoffMs: 5000,
};

/** A clock that says what a test sets. */
class Now {
  ms = 1000;
  nowMs(): number {
    return this.ms;
  }
  wallMs(): number {
    return this.ms;
  }
}

/** A batch on its way. */
interface Sent {
  readonly ticket: number;
  readonly atMs: number;
  readonly doneMs: number;
  readonly ok: boolean;
}

for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
  test(`a server that comes and goes, seed ${seed}`, () => {
    const random = createSeededRandom(seed);
    const now = new Now();
    const breaker = new CircuitBreaker(options, now, random);
    const under: Sent[] = [];
    let up = true;
    let changesMs = now.ms + 3000;
    let downSinceMs = 0;
    let sentWhileDown = 0;
    let opened = 0;
    let probes = 0;
    let openedAtMs = 0;
    let upSinceMs = now.ms;
    for (let step = 0; step < 40_000; step++) {
      now.ms += random.next() * 4;
      for (let i = under.length - 1; i >= 0; i--) {
        const { ticket, doneMs, ok } = under[i]!;
        if (doneMs > now.ms) continue;
        under.splice(i, 1);
        const before = breaker.state;
        if (ok) {
          if (breaker.onSuccess(ticket)) assert.equal(before, BreakerState.HalfOpen);
        } else if (breaker.onFailure(ticket)) {
          if (before === BreakerState.Closed) opened++;
          openedAtMs = now.ms;
        }
      }
      if (now.ms > changesMs) {
        up = !up;
        changesMs = now.ms + (up ? 8000 : 500) + random.next() * 10_000;
        if (up) upSinceMs = now.ms;
        else {
          downSinceMs = now.ms;
          sentWhileDown = 0;
          probes = 0;
        }
      }
      const before = breaker.state;
      const ticket = breaker.admit();
      if (before === BreakerState.HalfOpen) assert.equal(ticket, refusedTicket, 'one probe at a time');
      if (before === BreakerState.Open && ticket !== refusedTicket) {
        assert.equal(breaker.state, BreakerState.HalfOpen);
        assert.ok(now.ms - openedAtMs >= options.backoffMs / 2, 'not before half of the shortest pause');
        probes++;
      }
      // Longest pause, and the probe's own time: then the circuit must be closed again.
      if (up && now.ms > upSinceMs + options.maxBackoffMs + 100) {
        assert.equal(breaker.state, BreakerState.Closed, `still ${breaker.state} after ${now.ms - upSinceMs} ms`);
      }
      if (ticket === refusedTicket) continue;
      if (!up) sentWhileDown++;
      under.push({ ticket, atMs: now.ms, doneMs: now.ms + (up ? 1 : 50), ok: up });
      // Down: five must come back as failed (50 ms, a batch each 2 ms), then only probes.
      if (!up) assert.ok(sentWhileDown <= probes + 50, `${sentWhileDown} sent in ${now.ms - downSinceMs} ms`);
    }
    assert.ok(opened > 2, `${opened}`);
  });
}

test('pauses double up to the longest, each between a half and the whole', () => {
  const now = new Now();
  const random = createSeededRandom(3);
  const breaker = new CircuitBreaker(options, now, random);
  for (let i = 0; i < 5; i++) breaker.onFailure(breaker.admit());
  assert.equal(breaker.state, BreakerState.Open);
  for (const ceiling of [100, 200, 400, 800, 1600, 3200, 5000, 5000]) {
    const from = now.ms;
    let ticket = refusedTicket;
    while (ticket === refusedTicket) {
      assert.equal(breaker.refusing, true);
      now.ms += 1;
      ticket = breaker.admit();
    }
    const pause = now.ms - from;
    assert.ok(pause >= ceiling / 2 && pause <= ceiling + 1, `${pause} of ${ceiling}`);
    assert.equal(breaker.onFailure(ticket), true);
  }
  now.ms += 5000;
  assert.equal(breaker.onSuccess(breaker.admit()), true);
  for (let i = 0; i < 4; i++) assert.equal(breaker.onFailure(breaker.admit()), false);
  assert.equal(breaker.onFailure(breaker.admit()), true, 'five in a row again');
});

test('a share of failures opens it, but not before there are enough batches, and not across windows', () => {
  const now = new Now();
  const breaker = new CircuitBreaker(options, now, createSeededRandom(1));
  const both = (): void => {
    breaker.onSuccess(breaker.admit());
    breaker.onFailure(breaker.admit());
  };
  for (let i = 0; i < 9; i++) both();
  assert.equal(breaker.state, BreakerState.Closed, '18 batches');
  now.ms += 1000;
  for (let i = 0; i < 9; i++) both();
  assert.equal(breaker.state, BreakerState.Closed, 'another window');
  both();
  assert.equal(breaker.state, BreakerState.Open, '20 batches, half of them failed');
});

test('what became of batches of an earlier state says nothing', () => {
  const now = new Now();
  const breaker = new CircuitBreaker(options, now, createSeededRandom(1));
  const old = breaker.admit();
  for (let i = 0; i < 5; i++) breaker.onFailure(breaker.admit());
  assert.equal(breaker.onSuccess(old), false);
  assert.equal(breaker.state, BreakerState.Open);
  now.ms += 100;
  const probe = breaker.admit();
  assert.equal(breaker.onFailure(old), false);
  assert.equal(breaker.onSuccess(old), false);
  assert.equal(breaker.state, BreakerState.HalfOpen);
  assert.equal(breaker.onSuccess(probe), true);
  assert.equal(breaker.onFailure(probe), false);
});

test('both ways to open can be switched off', () => {
  const breaker = new CircuitBreaker(
    { ...options, consecutiveFailures: 0, failureShare: 0 },
    new Now(),
    createSeededRandom(1),
  );
  for (let i = 0; i < 1000; i++) assert.equal(breaker.onFailure(breaker.admit()), false);
  assert.equal(breaker.state, BreakerState.Closed);
});
