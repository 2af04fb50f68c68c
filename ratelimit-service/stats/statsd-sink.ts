import net from 'node:net';
import type { Logger } from '#gateway/base/log.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import { cleanTags, lineName, type StatsSink, type StatTags, sampleRate } from './stats-sink.ts';

/** What waits for the server at most, octets; the rest is dropped and counted. */
const maxWaitingOctets = 4 * 1024 * 1024;
/** What is handed to the socket at once, octets, more or less. */
const partOctets = 64 * 1024;
/** Pause between attempts to connect, and the longest time that a part may take, milliseconds. */
const retryMs = 3000;
const stallMs = 10_000;
/** How long the last flush may take when the service ends, milliseconds. */
const closeMs = 1000;

/** Lines that are sent together. */
interface Part {
  readonly text: string;
  readonly lines: number;
}

/**
 * statsd over TCP, tags in the name: `name.__tag=value:1|c`. Nothing here waits: what a server does not take is kept up to a
 * bound and then dropped and counted. What was on its way when a connection broke is lost, so that nothing counts twice.
 */
export class StatsdSink implements StatsSink, TimerTarget {
  readonly #host: string;
  readonly #port: number;
  readonly #suffix: string;
  readonly #log: Logger;
  readonly #retry: Timer;
  readonly #stall: Timer;
  readonly #timers: Timers;
  #socket: net.Socket | null = null;
  #connected = false;
  #parts: Part[] = [];
  #waitingOctets = 0;
  /** Handed to the socket and not yet taken by the system. */
  #underWay: Part | null = null;
  #text = '';
  #lines = 0;
  #closed = false;
  #whenIdle: (() => void) | null = null;
  #droppedLines = 0;
  #reconnects = -1;
  /** The log has told that there is no server. */
  #told = false;

  constructor(target: { readonly host: string; readonly port: number }, tags: StatTags, timers: Timers, log: Logger) {
    this.#host = target.host;
    this.#port = target.port;
    this.#suffix = cleanTags(tags)
      .map(([name, value]) => `.__${name}=${value}`)
      .join('');
    this.#timers = timers;
    this.#log = log;
    this.#retry = timers.create(this);
    this.#stall = timers.create(this);
    this.#connect();
  }

  counter(name: string, increase: number): void {
    this.#line(`${lineName(name)}${this.#suffix}:${increase}|c\n`);
  }

  gauge(name: string, value: number): void {
    this.#line(`${name}${this.#suffix}:${Math.round(value)}|g\n`);
  }

  timer(name: string, ms: number, calls: number): void {
    this.#line(`${name}${this.#suffix}:${ms}|ms${calls === 1 ? '' : `|@${sampleRate(calls)}`}\n`);
  }

  flush(): void {
    this.#endPart();
    this.#send();
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#connected && (this.#underWay !== null || this.#parts.length > 0)) {
      const end = this.#timers.create({ onTimer: () => this.#whenIdle?.() });
      end.enable(closeMs);
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
      end.disable();
    }
    this.#retry.disable();
    this.#stall.disable();
    this.#socket?.end();
    this.#socket?.destroySoon();
    this.#socket = null;
  }

  onTimer(timer: Timer): void {
    if (timer === this.#retry) this.#connect();
    else this.#socket?.destroy(new Error(`nothing was taken for ${stallMs} ms`));
  }

  *counters(): Generator<readonly [name: string, value: number]> {
    yield ['ratelimit.statsd.dropped_lines', this.#droppedLines];
    yield ['ratelimit.statsd.reconnects', Math.max(0, this.#reconnects)];
  }

  #line(line: string): void {
    this.#text += line;
    this.#lines++;
    if (this.#text.length >= partOctets) this.#endPart();
  }

  #endPart(): void {
    const { length } = this.#text;
    if (length === 0) return;
    if (this.#waitingOctets + length > maxWaitingOctets) this.#droppedLines += this.#lines;
    else {
      this.#parts.push({ text: this.#text, lines: this.#lines });
      this.#waitingOctets += length;
    }
    this.#text = '';
    this.#lines = 0;
  }

  #send(): void {
    const socket = this.#socket;
    if (socket === null || !this.#connected || this.#underWay !== null) return;
    const part = this.#parts.shift();
    if (part === undefined) {
      this.#whenIdle?.();
      return;
    }
    this.#waitingOctets -= part.text.length;
    this.#underWay = part;
    this.#stall.enable(stallMs);
    socket.write(part.text, (error) => {
      if (error != null || this.#underWay !== part) return; // `close` says so too
      this.#underWay = null;
      this.#stall.disable();
      this.#send();
    });
  }

  #connect(): void {
    if (this.#closed) return;
    const socket = net.connect({ host: this.#host, port: this.#port });
    this.#socket = socket;
    let reason = 'it was closed';
    socket.on('connect', () => {
      this.#connected = true;
      this.#reconnects++;
      if (this.#told) this.#log.warning(`statsd: connected to ${this.#host}:${this.#port}`);
      this.#told = false;
      this.#send();
    });
    socket.on('data', () => {}); // a server has nothing to say
    socket.on('end', () => socket.destroy());
    socket.on('error', (error: Error) => {
      reason = error.message;
    });
    socket.on('close', () => this.#onClose(socket, reason));
  }

  #onClose(socket: net.Socket, reason: string): void {
    if (this.#socket !== socket) return;
    this.#socket = null;
    this.#connected = false;
    this.#stall.disable();
    if (this.#underWay !== null) this.#droppedLines += this.#underWay.lines;
    this.#underWay = null;
    this.#whenIdle?.();
    if (this.#closed) return;
    if (!this.#told) this.#log.warning(`statsd: no connection to ${this.#host}:${this.#port}: ${reason}`);
    this.#told = true;
    this.#retry.enable(retryMs);
  }
}
