import { EventQueue } from './event-queue.ts';
import type { PlannedCall, PlannedLine, Refusal, Replay } from './replay.ts';
import type { Timeline } from './timeline.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** As many requests are in flight at most, as far as their ends count. */
const maxEnds = 1_000_000;

/** A request of the log, read and planned. */
export interface LogRequest {
  readonly timeUs: number;
  /** What it asks of each configuration. */
  readonly plans: readonly PlannedLine[];
  /** Hits by template; null for 1 each. */
  readonly hits: readonly number[] | null;
  /** How long it took, microseconds; 0 when that is not known. */
  readonly durationUs: number;
  /** Whether the log says that it was limited; null when it does not say. */
  readonly loggedLimited: boolean | null;
  /** Where it stands: number of the file, and of the line in it from 1 on. */
  readonly file: number;
  readonly line: number;
}

/** How what the log says and what a configuration says go together. */
export interface LoggedCounts {
  /** Requests of which the log says what became of them. */
  known: number;
  /** Limited in the log. */
  limited: number;
  /** Limited in the log, and by the configuration as well. */
  both: number;
  /** Limited by the configuration only. */
  onlyHere: number;
}

/** What two configurations make of the same requests. */
export interface ComparedCounts {
  both: number;
  onlyFirst: number;
  onlySecond: number;
}

/** Told of each limited request, in the order of time. */
export type LimitedListener = (
  configuration: number,
  request: LogRequest,
  timeUs: number,
  refusals: readonly Refusal[],
) => void;

/** How a log is replayed. */
export interface ReplayerOptions {
  /** Requests are put in order among those that are this much younger, microseconds. */
  readonly orderUs: number;
  /** As many events wait at most. */
  readonly maxWaiting: number;
  /** Whether anything is done when a request is done. */
  readonly hasDone: boolean;
  readonly onLimited: LimitedListener | null;
}

/** A request that comes, or ends. */
interface ReplayEvent {
  readonly timeUs: number;
  readonly order: number;
  readonly request: LogRequest;
  /** By configuration, at the end of a request: what is to be counted. Null when it comes. */
  readonly done: readonly (PlannedCall | null)[] | null;
}

/** Plays the requests of a log, in the order of their time, to one or two configurations. */
export class LogReplayer {
  readonly #replays: readonly Replay[];
  readonly #clock: VirtualClock;
  readonly #timeline: Timeline;
  readonly #options: ReplayerOptions;
  readonly #queue = new EventQueue<ReplayEvent>();
  readonly logged: LoggedCounts = { known: 0, limited: 0, both: 0, onlyHere: 0 };
  readonly compared: ComparedCounts = { both: 0, onlyFirst: 0, onlySecond: 0 };
  /** Requests that came too late to be put in order: they count at the time that it is by then. */
  late = 0;
  /** Requests whose end was not waited for, because too many were in flight. */
  lostEnds = 0;
  firstUs: number = Number.NaN;
  lastUs: number = Number.NaN;
  #newestUs = 0;
  #order = 0;
  #ends = 0;

  constructor(replays: readonly Replay[], clock: VirtualClock, timeline: Timeline, options: ReplayerOptions) {
    this.#replays = replays;
    this.#clock = clock;
    this.#timeline = timeline;
    this.#options = options;
  }

  /** Takes the next request of the log. */
  add(request: LogRequest): void {
    this.#queue.add({ timeUs: request.timeUs, order: ++this.#order, request, done: null });
    if (request.timeUs > this.#newestUs) this.#newestUs = request.timeUs;
    const until = this.#newestUs - this.#options.orderUs;
    for (let next = this.#queue.first; next !== null; next = this.#queue.first) {
      if (next.timeUs > until && this.#queue.size - this.#ends <= this.#options.maxWaiting) break;
      this.#play(this.#queue.take()!);
    }
  }

  /** Plays what still waits. */
  finish(): void {
    for (let next = this.#queue.take(); next !== null; next = this.#queue.take()) this.#play(next);
  }

  #play(event: ReplayEvent): void {
    if (event.timeUs > this.#clock.us) this.#clock.us = event.timeUs;
    if (event.done === null) this.#request(event);
    else {
      this.#ends--;
      event.done.forEach((call, i) => {
        if (call !== null) this.#replays[i]!.done(call, event.request.hits);
      });
    }
  }

  #request({ timeUs, request }: ReplayEvent): void {
    const nowUs = this.#clock.us;
    if (timeUs < nowUs) this.late++;
    if (Number.isNaN(this.firstUs)) this.firstUs = nowUs;
    this.lastUs = nowUs;
    this.#timeline.add(nowUs, -1);
    let limited = 0;
    let done: (PlannedCall | null)[] | null = null;
    for (let i = 0; i < this.#replays.length; i++) {
      const plan = request.plans[i]!;
      const refusals: Refusal[] | null = this.#options.onLimited === null ? null : [];
      if (this.#replays[i]!.request(plan, request.hits, refusals)) {
        limited |= 1 << i;
        this.#timeline.add(nowUs, i);
        if (refusals !== null) this.#options.onLimited!(i, request, nowUs, refusals);
      } else if (this.#options.hasDone && plan.done !== null) {
        done ??= this.#replays.map(() => null);
        done[i] = plan.done;
      }
    }
    this.#compare(request, limited);
    if (done === null) return;
    if (this.#ends >= maxEnds) {
      this.lostEnds++;
      return;
    }
    this.#ends++;
    // At one and the same time, those that end make room for those that come.
    this.#queue.add({
      timeUs: nowUs + request.durationUs,
      order: this.#order - Number.MAX_SAFE_INTEGER,
      request,
      done,
    });
  }

  #compare({ loggedLimited }: LogRequest, limited: number): void {
    const here = (limited & 1) !== 0;
    if (limited === 3) this.compared.both++;
    else if (limited === 1) this.compared.onlyFirst++;
    else if (limited === 2) this.compared.onlySecond++;
    if (loggedLimited === null) return;
    this.logged.known++;
    if (loggedLimited) this.logged.limited++;
    if (loggedLimited && here) this.logged.both++;
    if (!loggedLimited && here) this.logged.onlyHere++;
  }
}
