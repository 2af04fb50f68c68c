import type { Counter, Histogram, Scope } from '#gateway/stats/stats.ts';

/** Service and method of a gRPC path, `/package.Service/Method`. */
export interface GrpcMethodName {
  readonly service: string;
  readonly method: string;
}

/** Splits a gRPC path, without its query; null when it has not exactly two parts. */
export function grpcMethodName(path: string): GrpcMethodName | null {
  const query = path.indexOf('?');
  const parts = (query === -1 ? path : path.slice(0, query)).split('/');
  if (parts.length !== 3 || parts[0] !== '' || parts[1] === '' || parts[2] === '') return null;
  return { service: parts[1]!, method: parts[2]! };
}

/** Methods of one cluster that have statistics of their own: clients make paths up. Further ones count for the whole cluster. */
const maxMethods = 1000;
/** Values of `grpc-status` that have a counter of their own in one method: upstreams make them up. */
const maxStatuses = 32;

/** `cluster.<name>.grpc.<service>.<method>.*` (or `grpc-web`): counters of one method, each made when first needed. */
export class GrpcMethodStats {
  readonly #scope: Scope;
  readonly #statuses = new Map<string, Counter>();
  #total: Counter | null = null;
  #success: Counter | null = null;
  #failure: Counter | null = null;
  #requestMessages: Counter | null = null;
  #responseMessages: Counter | null = null;
  #upstreamTime: Histogram | null = null;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** Counts a finished call by its `grpc-status`; without one nothing is counted. */
  finished(status: string | null): void {
    if (status === null) return;
    let counter = this.#statuses.get(status);
    if (counter === undefined && this.#statuses.size < maxStatuses) {
      counter = this.#scope.counter(status);
      this.#statuses.set(status, counter);
    }
    counter?.inc();
    if (status === '0') {
      this.#success ??= this.#scope.counter('success');
      this.#success.inc();
    } else {
      this.#failure ??= this.#scope.counter('failure');
      this.#failure.inc();
    }
    this.#total ??= this.#scope.counter('total');
    this.#total.inc();
  }

  sent(messages: number): void {
    this.#requestMessages ??= this.#scope.counter('request_message_count');
    this.#requestMessages.inc(messages);
  }

  received(messages: number): void {
    this.#responseMessages ??= this.#scope.counter('response_message_count');
    this.#responseMessages.inc(messages);
  }

  /** Milliseconds from the end of the request to the end of the response. */
  took(ms: number): void {
    this.#upstreamTime ??= this.#scope.histogram('upstream_rq_time', 'milliseconds');
    this.#upstreamTime.record(ms);
  }
}

const wholeCluster = 'grpc';
const known = new WeakMap<Scope, Map<string, GrpcMethodStats>>();

/** The statistics under `name` (`grpc.<service>.<method>`, or `grpc` for a cluster as a whole). Made once a scope. */
export function grpcMethodStats(clusterScope: Scope, name: string): GrpcMethodStats {
  let methods = known.get(clusterScope);
  if (methods === undefined) {
    methods = new Map();
    known.set(clusterScope, methods);
  }
  let stats = methods.get(name);
  if (stats === undefined) {
    if (methods.size >= maxMethods && name !== wholeCluster) return grpcMethodStats(clusterScope, wholeCluster);
    stats = new GrpcMethodStats(clusterScope.scope(name));
    methods.set(name, stats);
  }
  return stats;
}
