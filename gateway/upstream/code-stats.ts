import type { Counter, Histogram, Scope } from '#gateway/stats/stats.ts';

/** `upstream_rq_completed`, `upstream_rq_<class>` and `upstream_rq_<code>` under one prefix; each made on first use. */
export class CodeStats {
  readonly #scope: Scope;
  #completed: Counter | null = null;
  readonly #classes: (Counter | null)[] = [null, null, null, null, null, null];
  readonly #codes: (Counter | null)[] = [];
  #time: Histogram | null = null;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** Counts a response of this status. */
  charge(status: number): void {
    this.#completed ??= this.#scope.counter('upstream_rq_completed');
    this.#completed.inc();
    const group = (status / 100) | 0;
    if (group >= 1 && group <= 5) {
      let counter = this.#classes[group]!;
      if (counter === null) {
        counter = this.#scope.counter(`upstream_rq_${group}xx`);
        this.#classes[group] = counter;
      }
      counter.inc();
    }
    this.code(status).inc();
  }

  /** The counter of one status. */
  code(status: number): Counter {
    let counter = this.#codes[status] ?? null;
    if (counter === null) {
      counter = this.#scope.counter(`upstream_rq_${status}`);
      this.#codes[status] = counter;
    }
    return counter;
  }

  /** Records how long a request took, milliseconds. */
  time(milliseconds: number): void {
    this.#time ??= this.#scope.histogram('upstream_rq_time', 'milliseconds');
    this.#time.record(milliseconds);
  }
}

/** The variants that Envoy's code statistics have besides the plain ones. */
export class VariantCodeStats {
  readonly #scope: Scope;
  #external: CodeStats | null = null;
  #internal: CodeStats | null = null;
  #canary: CodeStats | null = null;
  #retry: CodeStats | null = null;
  readonly #zones = new Map<string, CodeStats>();

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  get external(): CodeStats {
    this.#external ??= new CodeStats(this.#scope.scope('external'));
    return this.#external;
  }

  get internal(): CodeStats {
    this.#internal ??= new CodeStats(this.#scope.scope('internal'));
    return this.#internal;
  }

  get canary(): CodeStats {
    this.#canary ??= new CodeStats(this.#scope.scope('canary'));
    return this.#canary;
  }

  get retry(): CodeStats {
    this.#retry ??= new CodeStats(this.#scope.scope('retry'));
    return this.#retry;
  }

  /** `zone.<from>.<to>.*`: answers from hosts of another (or the same) zone. */
  zone(from: string, to: string): CodeStats {
    const name = `zone.${from}.${to}`;
    let stats = this.#zones.get(name);
    if (stats === undefined) {
      stats = new CodeStats(this.#scope.scope(name));
      this.#zones.set(name, stats);
    }
    return stats;
  }
}
