import { Buffer } from 'node:buffer';
import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Logger } from '#gateway/base/log.ts';
import { type Mogrifier, mogrify } from './mogrifier.ts';
import { cleanTags, lineName, type StatsSink, type StatTags, sampleRate } from './stats-sink.ts';

/** Largest datagram that is sent, octets: what passes an Ethernet without being split. */
const maxDatagramOctets = 1432;
/** Datagrams that may wait for the system, and for the name of the server to be looked up. */
const maxUnderWay = 1024;
/** Names that are remembered with what they are sent as. */
const maxRememberedNames = 50_000;

/** DogStatsD over UDP: `name:1|c|#tag:value,...`. Names and tags may be changed by mogrifiers. */
export class DogStatsdSink implements StatsSink {
  readonly #host: string;
  readonly #port: number;
  readonly #tags: readonly string[];
  readonly #mogrifiers: readonly Mogrifier[];
  readonly #log: Logger;
  readonly #socket: Socket;
  /** `name:` and `|#tags` by name. */
  #sentAs = new Map<string, readonly [name: string, tags: string]>();
  #text = '';
  #octets = 0;
  #lines = 0;
  #underWay = 0;
  #droppedLines = 0;
  #closed = false;
  #whenIdle: (() => void) | null = null;
  #told = false;

  constructor(
    target: { readonly host: string; readonly port: number },
    tags: StatTags,
    mogrifiers: readonly Mogrifier[],
    log: Logger,
  ) {
    this.#host = target.host;
    this.#port = target.port;
    this.#tags = cleanTags(tags).map(([name, value]) => `${name}:${value}`);
    this.#mogrifiers = mogrifiers;
    this.#log = log;
    this.#socket = createSocket(isIPv6(target.host) ? 'udp6' : 'udp4');
    this.#socket.on('error', (error: Error) => this.#onError(error));
    this.#socket.unref();
  }

  counter(name: string, increase: number): void {
    this.#line(name, `${increase}|c`);
  }

  gauge(name: string, value: number): void {
    this.#line(name, `${Math.round(value)}|g`);
  }

  timer(name: string, ms: number, calls: number): void {
    this.#line(name, `${ms.toFixed(6)}|ms${calls === 1 ? '' : `|@${sampleRate(calls)}`}`);
  }

  flush(): void {
    const text = this.#text;
    const lines = this.#lines;
    this.#text = '';
    this.#octets = 0;
    this.#lines = 0;
    if (text === '') return;
    if (this.#closed || this.#underWay >= maxUnderWay) {
      this.#droppedLines += lines;
      return;
    }
    this.#underWay++;
    this.#socket.send(text, this.#port, this.#host, (error) => {
      this.#underWay--;
      if (error !== null && error !== undefined) {
        this.#droppedLines += lines;
        this.#onError(error);
      } else this.#told = false;
      if (this.#underWay === 0) this.#whenIdle?.();
    });
  }

  async close(): Promise<void> {
    this.flush();
    this.#closed = true;
    if (this.#underWay > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    this.#socket.close();
  }

  *counters(): Generator<readonly [name: string, value: number]> {
    yield ['ratelimit.dogstatsd.dropped_lines', this.#droppedLines];
  }

  #line(name: string, value: string): void {
    const [sentName, tags] = this.#sentAs.get(name) ?? this.#remember(name);
    const line = `${sentName}:${value}${tags}`;
    const octets = Buffer.byteLength(line) + 1;
    if (this.#octets + octets > maxDatagramOctets) this.flush();
    this.#text += this.#text === '' ? line : `\n${line}`;
    this.#octets += octets;
    this.#lines++;
  }

  #remember(name: string): readonly [name: string, tags: string] {
    const { name: sentName, tags } = mogrify(this.#mogrifiers, lineName(name));
    const all = [...this.#tags, ...tags];
    const sentAs = [sentName, all.length === 0 ? '' : `|#${all.join(',')}`] as const;
    if (this.#sentAs.size >= maxRememberedNames) this.#sentAs = new Map();
    this.#sentAs.set(name, sentAs);
    return sentAs;
  }

  #onError(error: Error): void {
    if (!this.#told) this.#log.warning(`dogstatsd: ${this.#host}:${this.#port}: ${error.message}`);
    this.#told = true;
  }
}
