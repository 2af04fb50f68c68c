import type { Counter, Scope } from '#gateway/stats/stats.ts';

const statusCount = 17;

/** `grpc.<stat_prefix>.*` of a google_grpc service. */
export class GoogleGrpcStats {
  readonly streamsTotal: Counter;
  readonly #closed: readonly Counter[];

  constructor(root: Scope, prefix: string) {
    const scope = root.scope(`grpc.${prefix}`);
    this.streamsTotal = scope.counter('streams_total');
    this.#closed = Array.from({ length: statusCount }, (_, status) => scope.counter(`streams_closed_${status}`));
  }

  /** Counts the end of a call, unary ones too. */
  closed(status: number): void {
    this.#closed[status]?.inc();
  }
}
