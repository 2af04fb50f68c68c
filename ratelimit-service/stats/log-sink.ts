import type { Clock } from '#gateway/runtime/clock.ts';
import { cleanTags, type StatsSink, type StatTags } from './stats-sink.ts';

/** Without any other sink: each value is a line of JSON on standard error, in the form of the reference's. */
export class LogSink implements StatsSink {
  readonly #suffix: string;
  readonly #clock: Clock;
  readonly #write: (line: string) => void;

  constructor(tags: StatTags, clock: Clock, write: (line: string) => void) {
    this.#suffix = cleanTags(tags)
      .map(([name, value]) => `.__${name}=${value}`)
      .join('');
    this.#clock = clock;
    this.#write = write;
  }

  counter(name: string, increase: number): void {
    this.#line('counter', name, increase);
  }

  gauge(name: string, value: number): void {
    this.#line('gauge', name, value);
  }

  timer(name: string, ms: number, calls: number): void {
    this.#line('timer', name, ms, { calls: String(calls) });
  }

  flush(): void {}

  async close(): Promise<void> {}

  #line(type: string, name: string, value: number, more: Readonly<Record<string, string>> = {}): void {
    const seconds = (this.#clock.wallMs() / 1000).toFixed(6);
    const json = JSON.stringify({ name: name + this.#suffix, type, value: value.toFixed(6), ...more });
    this.#write(
      `{"level":"debug","ts":${seconds},"logger":"gostats.loggingsink","msg":"flushing ${type}","json":${json}}\n`,
    );
  }
}
