import type { Clock } from './clock.ts';

/** Told when a timer it owns goes off. One object can own several timers and tell them apart by identity. */
export interface TimerTarget {
  onTimer(timer: Timer): void;
}

/**
 * A re-armable one-shot timer. Arming, re-arming and disarming are O(1) and allocate nothing.
 * It fires at or up to one tick (8 ms) after its deadline; never early.
 */
export interface Timer {
  /** (Re)arms the timer to go off `delayMs` from now. */
  enable(delayMs: number): void;
  /** Disarms it; harmless when not armed. */
  disable(): void;
  readonly enabled: boolean;
}

/** Makes timers. Injected everywhere so that tests can tick. */
export interface Timers {
  create(target: TimerTarget): Timer;
}

const tickMs = 8;
const coarseTicks = 512; // one coarse slot: 4.096 s
// The fine wheel spans two coarse slots less one tick: a coarse slot that is spilled always fits, and nothing that is
// armed while a fine slot runs can land in that same slot again.
const slotCount = 2 * coarseTicks;
const coarseTickMs = tickMs * coarseTicks;

/** Schedules the wheel's single native wake-up; `null` cancels it. The real one wraps setTimeout. */
export interface WakeUp {
  at(delayMs: number): void;
  cancel(): void;
}

class WheelTimer implements Timer {
  readonly #wheel: TimerWheel;
  readonly target: TimerTarget;
  deadlineMs = 0;
  prev: WheelTimer | null = null;
  next: WheelTimer | null = null;
  list: TimerList | null = null;

  constructor(wheel: TimerWheel, target: TimerTarget) {
    this.#wheel = wheel;
    this.target = target;
  }

  get enabled(): boolean {
    return this.deadlineMs !== 0;
  }

  enable(delayMs: number): void {
    this.#wheel.arm(this, delayMs);
  }

  disable(): void {
    this.deadlineMs = 0;
    if (this.list !== null) this.list.remove(this);
  }
}

class TimerList {
  head: WheelTimer | null = null;

  add(timer: WheelTimer): void {
    timer.list = this;
    timer.prev = null;
    timer.next = this.head;
    if (this.head !== null) this.head.prev = timer;
    this.head = timer;
  }

  remove(timer: WheelTimer): void {
    if (timer.prev !== null) timer.prev.next = timer.next;
    else this.head = timer.next;
    if (timer.next !== null) timer.next.prev = timer.prev;
    timer.prev = null;
    timer.next = null;
    timer.list = null;
  }
}

/**
 * Two wheels of linked lists: 8 ms slots for the next eight seconds, 4 s slots beyond. A timer whose deadline moved later
 * stays in its slot and is moved when that slot comes up, so refreshing an idle timeout costs two stores.
 */
export class TimerWheel implements Timers {
  readonly #clock: Clock;
  readonly #wake: WakeUp;
  readonly #fine: readonly TimerList[] = Array.from({ length: slotCount }, () => new TimerList());
  readonly #coarse = new Map<number, TimerList>();
  readonly #originMs: number;
  #tick = 0; // every slot before this one has been run
  #wakeAtTick = Number.POSITIVE_INFINITY;
  #running = false;

  constructor(clock: Clock, wake: WakeUp) {
    this.#clock = clock;
    this.#wake = wake;
    this.#originMs = clock.nowMs();
  }

  create(target: TimerTarget): Timer {
    return new WheelTimer(this, target);
  }

  /** Puts `timer` where its new deadline wants it. */
  arm(timer: WheelTimer, delayMs: number): void {
    const deadlineMs = this.#clock.nowMs() - this.#originMs + (delayMs > 0 ? delayMs : 0.001);
    if (timer.list !== null) {
      if (deadlineMs >= timer.deadlineMs && timer.deadlineMs !== 0) {
        timer.deadlineMs = deadlineMs;
        return;
      }
      timer.list.remove(timer);
    }
    timer.deadlineMs = deadlineMs;
    this.#insert(timer);
  }

  #insert(timer: WheelTimer): void {
    if (this.#wakeAtTick === Number.POSITIVE_INFINITY && !this.#running) {
      // Nothing was armed: there are no slots between the last run and now to catch up with.
      this.#tick = Math.max(this.#tick, Math.floor((this.#clock.nowMs() - this.#originMs) / tickMs));
    }
    const tick = Math.max(Math.ceil(timer.deadlineMs / tickMs), this.#tick);
    if (tick - this.#tick < slotCount - 1) {
      this.#fine[tick % slotCount]!.add(timer);
      this.#wakeBy(tick);
      return;
    }
    const coarseTick = Math.floor(tick / coarseTicks);
    let list = this.#coarse.get(coarseTick);
    if (list === undefined) {
      list = new TimerList();
      this.#coarse.set(coarseTick, list);
    }
    list.add(timer);
    this.#wakeBy(coarseTick * coarseTicks);
  }

  #wakeBy(tick: number): void {
    if (tick >= this.#wakeAtTick || this.#running) return; // at the end of a run the next wake-up is found anew
    this.#wakeAtTick = tick;
    this.#wake.at(Math.max(0, this.#originMs + tick * tickMs - this.#clock.nowMs()));
  }

  /** Runs everything that is due. Called by the wake-up; a test with a virtual clock calls it after moving the clock. */
  run(): void {
    const nowTick = Math.floor((this.#clock.nowMs() - this.#originMs) / tickMs);
    this.#wakeAtTick = Number.POSITIVE_INFINITY;
    this.#running = true;
    try {
      while (this.#tick <= nowTick) {
        const tick = this.#tick;
        if (tick % coarseTicks === 0) this.#spill(tick / coarseTicks);
        this.#tick = tick + 1; // what callbacks arm from here on lands in a later slot
        this.#runSlot(tick);
      }
    } finally {
      // A callback that throws ends this run; what else is due follows with the next wake-up.
      this.#requeue(this.#tick - 1);
      this.#running = false;
      this.#wakeForNext();
    }
  }

  #spill(coarseTick: number): void {
    const list = this.#coarse.get(coarseTick);
    if (list === undefined) return;
    this.#coarse.delete(coarseTick);
    for (let timer = list.head; timer !== null; timer = list.head) {
      list.remove(timer);
      if (timer.deadlineMs !== 0) this.#insert(timer);
    }
  }

  #runSlot(tick: number): void {
    const list = this.#fine[tick % slotCount]!;
    const dueMs = tick * tickMs;
    for (let timer = list.head; timer !== null; timer = list.head) {
      list.remove(timer);
      if (timer.deadlineMs > dueMs) {
        this.#insert(timer);
        continue;
      }
      timer.deadlineMs = 0;
      timer.target.onTimer(timer);
    }
  }

  /** What a callback that threw left in its slot: the wheel has turned past it, and comes back only after a whole turn. */
  #requeue(tick: number): void {
    const list = this.#fine[(tick + slotCount) % slotCount]!;
    for (let timer = list.head; timer !== null; timer = list.head) {
      list.remove(timer);
      if (timer.deadlineMs !== 0) this.#insert(timer);
    }
  }

  #wakeForNext(): void {
    for (let tick = this.#tick; tick < this.#tick + slotCount; tick++) {
      if (this.#fine[tick % slotCount]!.head !== null) {
        this.#wakeBy(tick);
        break;
      }
    }
    for (const [coarseTick, list] of this.#coarse) {
      if (list.head === null) this.#coarse.delete(coarseTick);
      else this.#wakeBy(coarseTick * coarseTicks);
    }
    if (this.#wakeAtTick === Number.POSITIVE_INFINITY) this.#wake.cancel();
  }
}

/** Timers on the process's real event loop. A pending timer does not keep the process alive. */
export function createSystemTimers(clock: Clock): Timers {
  let handle: ReturnType<typeof setTimeout> | null = null;
  const wheel: TimerWheel = new TimerWheel(clock, {
    at(delayMs: number): void {
      if (handle !== null) clearTimeout(handle);
      handle = setTimeout(onWake, delayMs);
      handle.unref();
    },
    cancel(): void {
      if (handle !== null) clearTimeout(handle);
      handle = null;
    },
  });
  function onWake(): void {
    handle = null;
    wheel.run();
  }
  return wheel;
}

/** Width of a coarse slot, for tests. */
export const coarseSlotMs: number = coarseTickMs;
