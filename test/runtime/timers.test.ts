import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#gateway/runtime/clock.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import {
  coarseSlotMs,
  createSystemTimers,
  type Timer,
  type TimerTarget,
  TimerWheel,
  type WakeUp,
} from '#gateway/runtime/timers.ts';

const tickMs = 8;

/** A clock that the test moves, and the wake-up that the wheel asked for: time passes from wake-up to wake-up. */
class VirtualTime implements WakeUp {
  now: number;
  wakeAt = Number.POSITIVE_INFINITY;
  wakeUps = 0;
  readonly wheel: TimerWheel;

  constructor(startMs: number) {
    this.now = startMs;
    this.wheel = new TimerWheel({ nowMs: () => this.now, wallMs: () => this.now }, this);
  }

  at(delayMs: number): void {
    this.wakeAt = this.now + delayMs;
  }

  cancel(): void {
    this.wakeAt = Number.POSITIVE_INFINITY;
  }

  advance(ms: number): void {
    const end = this.now + ms;
    while (this.wakeAt <= end) {
      this.now = Math.max(this.now, this.wakeAt);
      this.wakeAt = Number.POSITIVE_INFINITY;
      this.wakeUps++;
      this.wheel.run();
    }
    this.now = end;
  }
}

class Recorder implements TimerTarget {
  readonly #time: VirtualTime;
  readonly firedAt: number[] = [];
  timer: Timer | null = null;
  rearmMs = 0;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  onTimer(timer: Timer): void {
    assert.equal(timer, this.timer);
    assert.equal(timer.enabled, false);
    this.firedAt.push(this.#time.now);
    if (this.rearmMs > 0) timer.enable(this.rearmMs);
  }
}

function timerOf(time: VirtualTime): { recorder: Recorder; timer: Timer } {
  const recorder = new Recorder(time);
  const timer = time.wheel.create(recorder);
  recorder.timer = timer;
  return { recorder, timer };
}

const delays: readonly number[] = [
  0, 0.5, 1, 7.9, 8, 8.1, 100, 4095, 4096, 4097, 8175, 8176, 8184, 8185, 8192, 8200, 12_288, 60_000, 3_600_000,
];

for (const delayMs of delays) {
  for (const startMs of [0, 12345.678]) {
    test(`a timer of ${delayMs} ms goes off in time, started at ${startMs}`, () => {
      const time = new VirtualTime(startMs);
      time.advance(777.7);
      const { recorder, timer } = timerOf(time);
      timer.enable(delayMs);
      assert.equal(timer.enabled, true);
      const due = time.now + delayMs;
      time.advance(delayMs + 2 * tickMs);
      assert.equal(recorder.firedAt.length, 1);
      assert.ok(recorder.firedAt[0]! >= due, `${recorder.firedAt[0]} is before ${due}`);
      assert.ok(recorder.firedAt[0]! <= due + tickMs + 0.01, `${recorder.firedAt[0]} is late for ${due}`);
      assert.equal(time.wakeAt, Number.POSITIVE_INFINITY, 'nothing is armed: no wake-up');
    });
  }
}

for (const periodMs of [8, 4088, 4096, 8176, 8184, 8192, 10_000]) {
  test(`a timer that re-arms itself for ${periodMs} ms does not hang the wheel`, () => {
    const time = new VirtualTime(0);
    const { recorder, timer } = timerOf(time);
    recorder.rearmMs = periodMs;
    timer.enable(periodMs);
    time.advance(5 * (periodMs + tickMs));
    const times = recorder.firedAt.length;
    assert.ok(times >= 5 && times <= 5 + (5 * tickMs) / periodMs, `${times} times`);
  });
}

test('a timer that is put off all the time goes off once, after the last', () => {
  const time = new VirtualTime(0);
  const { recorder, timer } = timerOf(time);
  for (let i = 0; i < 1000; i++) {
    timer.enable(5000);
    time.advance(10);
  }
  assert.deepEqual(recorder.firedAt, []);
  const due = time.now - 10 + 5000;
  time.advance(6000);
  assert.equal(recorder.firedAt.length, 1);
  assert.ok(recorder.firedAt[0]! >= due && recorder.firedAt[0]! <= due + tickMs);
  assert.ok(time.wakeUps < 10, `${time.wakeUps} wake-ups`);
});

test('a timer can be brought forward', () => {
  const time = new VirtualTime(0);
  const { recorder, timer } = timerOf(time);
  timer.enable(100_000);
  timer.enable(20);
  time.advance(40);
  assert.equal(recorder.firedAt.length, 1);
  time.advance(200_000);
  assert.equal(recorder.firedAt.length, 1);
});

test('a disabled timer stays silent, also when another of the same tick disables it', () => {
  const time = new VirtualTime(0);
  const { recorder, timer } = timerOf(time);
  timer.enable(100);
  timer.disable();
  timer.disable();
  assert.equal(timer.enabled, false);
  const a: Timer = time.wheel.create({ onTimer: () => b.disable() });
  const b: Timer = time.wheel.create({ onTimer: () => a.disable() });
  a.enable(50);
  b.enable(50);
  time.advance(100_000);
  assert.deepEqual(recorder.firedAt, []);
  assert.equal(a.enabled || b.enabled, false);
});

test('a callback that throws does not stop the wheel', () => {
  const time = new VirtualTime(0);
  const bad = time.wheel.create({
    onTimer() {
      throw new Error('broken');
    },
  });
  const { recorder, timer } = timerOf(time);
  bad.enable(10);
  timer.enable(20);
  assert.throws(() => time.advance(100), /broken/);
  time.advance(100);
  assert.equal(recorder.firedAt.length, 1);
});

test('timers due together with one that throws go off with the next wake-up', () => {
  const time = new VirtualTime(0);
  const first = timerOf(time);
  const bad = time.wheel.create({
    onTimer() {
      throw new Error('broken');
    },
  });
  const last = timerOf(time);
  for (const timer of [first.timer, bad, last.timer]) timer.enable(10);
  assert.throws(() => time.advance(100), /broken/);
  time.advance(tickMs);
  assert.deepEqual([first.recorder.firedAt.length, last.recorder.firedAt.length], [1, 1]);
});

test('a wheel that slept long is exact at once', () => {
  const time = new VirtualTime(0);
  const far = timerOf(time);
  far.timer.enable(10 * 3_600_000);
  time.advance(5 * 3_600_000);
  const near = timerOf(time);
  near.timer.enable(100);
  const due = time.now + 100;
  time.advance(120);
  assert.equal(near.recorder.firedAt.length, 1);
  assert.ok(near.recorder.firedAt[0]! >= due && near.recorder.firedAt[0]! <= due + tickMs);
  time.advance(5 * 3_600_000);
  assert.equal(far.recorder.firedAt.length, 1);
});

for (let seed = 1; seed <= 20; seed++) {
  test(`against a plain model, seed ${seed}`, () => {
    const random = createSeededRandom(seed);
    const time = new VirtualTime(random.next() * 1000);
    const due: number[] = [];
    const targets = Array.from({ length: 40 }, (_, i) => {
      const timer: Timer = time.wheel.create({
        onTimer() {
          assert.ok(time.now >= due[i]!, `timer ${i} went off ${due[i]! - time.now} ms early`);
          assert.ok(time.now <= due[i]! + tickMs + 0.01, `timer ${i} went off ${time.now - due[i]!} ms late`);
          due[i] = Number.POSITIVE_INFINITY;
          if (random.next() < 0.3) arm(i);
        },
      });
      due.push(Number.POSITIVE_INFINITY);
      return timer;
    });
    function arm(i: number): void {
      const scale = [10, 500, coarseSlotMs, 3 * coarseSlotMs, 100_000][Math.floor(random.next() * 5)]!;
      const delayMs = random.next() * scale;
      due[i] = time.now + Math.max(delayMs, 0.001);
      targets[i]!.enable(delayMs);
    }
    for (let step = 0; step < 600; step++) {
      const i = Math.floor(random.next() * targets.length);
      if (random.next() < 0.8) arm(i);
      else {
        targets[i]!.disable();
        due[i] = Number.POSITIVE_INFINITY;
      }
      time.advance(random.next() < 0.05 ? random.next() * 20_000 : random.next() * 60);
      for (let k = 0; k < due.length; k++) {
        assert.ok(due[k]! > time.now - tickMs - 0.02, `timer ${k} was forgotten`);
        assert.equal(targets[k]!.enabled, due[k] !== Number.POSITIVE_INFINITY);
      }
    }
  });
}

test('the real wheel goes off on the real clock', async () => {
  const timers = createSystemTimers(systemClock);
  const keepAlive = setInterval(() => {}, 1000);
  await new Promise<void>((resolve) => timers.create({ onTimer: () => resolve() }).enable(20));
  clearInterval(keepAlive);
});
