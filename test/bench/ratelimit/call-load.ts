// The load generator of the rate-limit suite: reads one JSON line per window from its standard input (limit-window.ts) and
// answers each with one JSON line. Each reply is checked.
import { createInterface } from 'node:readline';
import { createSeededRandom, type Random } from '#gateway/runtime/random.ts';
import { CallConnection, type CallReceiver } from './call-connection.ts';
import { callFrames } from './call-frames.ts';
import type { LimitWindow, LimitWindowResult } from './limit-window.ts';

/** Frames by client, made when they are first needed. */
const frames: Uint8Array[] = [];

function framesOf(client: number): Uint8Array {
  let made = frames[client];
  if (made === undefined) {
    made = callFrames(client);
    frames[client] = made;
  }
  return made;
}

/** How long a window waits for the last replies, milliseconds. */
const lastRepliesMs = 2000;

class Load implements CallReceiver {
  readonly #window: LimitWindow;
  readonly #done: (result: LimitWindowResult) => void;
  readonly #random: Random = createSeededRandom(1);
  readonly #connections: CallConnection[] = [];
  /** When each call was due, by slot; its time to the reply afterwards. */
  readonly #times: number[] = [];
  readonly #latencies: number[] = [];
  #begun = 0;
  #sent = 0;
  #answered = 0;
  #failed = 0;
  #problem = '';
  #over = false;
  #pacer: NodeJS.Timeout | null = null;

  constructor(window: LimitWindow, done: (result: LimitWindowResult) => void) {
    this.#window = window;
    this.#done = done;
    let waiting = window.connections;
    for (let i = 0; i < window.connections; i++) {
      const connection = new CallConnection(window.port, this, () => {
        if (--waiting === 0) this.#begin();
      });
      this.#connections.push(connection);
    }
  }

  onCallEnd(connection: CallConnection, slot: number, ok: boolean, problem: string): void {
    const now = performance.now();
    this.#latencies.push(now - this.#times[slot]!);
    if (ok) this.#answered++;
    else this.#fail(problem);
    if (this.#window.rate === null && this.#more(now)) this.#send(connection, now);
    if (this.#over && this.#answered + this.#failed >= this.#sent) this.#finish();
  }

  onConnectionError(problem: string): void {
    this.#fail(problem);
    this.#finish();
  }

  #begin(): void {
    const { rate, inFlight, seconds } = this.#window;
    this.#begun = performance.now();
    if (rate !== null) this.#pacer = setInterval(() => this.#pace(rate), 1);
    else {
      for (const connection of this.#connections) {
        for (let i = 0; i < inFlight; i++) if (this.#more(this.#begun)) this.#send(connection, this.#begun);
        connection.flush();
      }
    }
    setTimeout(() => this.#end(), seconds * 1000);
  }

  #pace(rate: number): void {
    const due = Math.floor(((performance.now() - this.#begun) / 1000) * rate);
    while (this.#sent < due) {
      const connection = this.#connections[this.#sent % this.#connections.length]!;
      // Late calls count from when they were due: a slow server does not slow down who would have called.
      this.#send(connection, this.#begun + (this.#sent * 1000) / rate);
    }
    for (const connection of this.#connections) connection.flush();
  }

  #more(now: number): boolean {
    const { sweep, keys, seconds } = this.#window;
    if (sweep && this.#sent >= keys) {
      this.#over = true;
      return false;
    }
    return !this.#over && now - this.#begun < seconds * 1000;
  }

  #send(connection: CallConnection, dueMs: number): void {
    const { keys, sweep } = this.#window;
    const client = keys === 1 ? 0 : sweep ? 1 + this.#sent : 1 + Math.floor(this.#random.next() * keys);
    this.#times[this.#sent] = dueMs;
    connection.call(framesOf(client), this.#sent++);
  }

  #end(): void {
    this.#over = true;
    if (this.#pacer !== null) clearInterval(this.#pacer);
    if (this.#answered + this.#failed >= this.#sent) this.#finish();
    else setTimeout(() => this.#finish(), lastRepliesMs);
  }

  #fail(problem: string): void {
    this.#failed++;
    if (this.#problem === '') this.#problem = problem;
  }

  #finish(): void {
    if (this.#connections.length === 0) return;
    for (const connection of this.#connections.splice(0)) connection.close();
    if (this.#pacer !== null) clearInterval(this.#pacer);
    this.#over = true;
    const sorted = Float64Array.from(this.#latencies).sort();
    const missing = this.#sent - this.#answered - this.#failed;
    if (missing > 0) this.#fail(`${missing} calls without a reply`);
    this.#done({
      answered: this.#answered,
      failed: this.#failed + Math.max(0, missing - 1),
      problem: this.#problem,
      seconds: (performance.now() - this.#begun) / 1000,
      p50Ms: sorted[Math.floor(sorted.length * 0.5)] ?? 0,
      p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
    });
  }
}

createInterface({ input: process.stdin }).on('line', (line) => {
  new Load(JSON.parse(line) as LimitWindow, (result) => process.stdout.write(`${JSON.stringify(result)}\n`));
});
