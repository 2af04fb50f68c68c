import { GrpcStatus } from '#gateway/protocol/grpc/status.ts';
import { atTurnEnd, type TurnTask } from '#gateway/runtime/turn.ts';
import type { GrpcHandler, GrpcSink } from '../service/grpc-method.ts';
import type { AssignmentSink, Holding } from './holding.ts';
import type { QuotaService } from './quota-service.ts';
import type { Strategy } from './strategy.ts';
import type { BucketUsage } from './usage-report.ts';

/** A message is sent when it is this long, octets; the rest follows in another. */
const messageOctets = 256 * 1024;

/** Longest domain that is taken. */
const maxDomainLength = 1024;

/** Buckets that were abandoned are remembered up to this many, for the report that was on its way meanwhile. */
const maxAbandoned = 1000;

/** One thing to say about a bucket: an assignment, or null to abandon it. */
interface Action {
  readonly holding: Holding;
  readonly strategy: Strategy | null;
}

/** One stream: one client, one domain. Its actions of one event-loop turn go in one message. */
export class QuotaStream implements GrpcHandler, AssignmentSink, TurnTask {
  readonly #service: QuotaService;
  readonly #sink: GrpcSink;
  readonly #holdings = new Map<string, Holding>();
  readonly #abandoned = new Set<string>();
  /** What its buckets take. */
  #places = 0;
  #domain = '';
  #actions: Action[] = [];
  #ended = false;

  constructor(service: QuotaService, sink: GrpcSink) {
    this.#service = service;
    this.#sink = sink;
  }

  onMessage(message: Uint8Array): void {
    const { stats } = this.#service.world;
    const reports = this.#service.reader.read(message);
    if (reports === null) {
      this.#refuse('malformed RateLimitQuotaUsageReports');
      return;
    }
    // Envoy says the domain in every message.
    if (this.#domain === '') this.#domain = reports.domain;
    else if (reports.domain !== '' && reports.domain !== this.#domain) {
      this.#refuse('the domain of a stream cannot change');
      return;
    }
    if (this.#domain === '' || this.#domain.length > maxDomainLength) {
      this.#refuse('the first report must have a domain');
      return;
    }
    stats.reports++;
    stats.refused += reports.refused;
    for (const usage of reports.usages) this.#onUsage(usage);
  }

  onEnd(): void {
    this.#end();
    this.#sink.finish(GrpcStatus.Ok, '');
  }

  onReset(): void {
    this.#end();
  }

  onStop(): void {
    this.#end();
  }

  assign(holding: Holding, strategy: Strategy): void {
    this.#service.world.stats.assignments++;
    this.#add({ holding, strategy });
  }

  abandon(holding: Holding): void {
    this.#service.world.stats.abandons++;
    const { key, places } = holding.bucket.id;
    this.#holdings.delete(key);
    this.#places -= places;
    if (this.#abandoned.size >= maxAbandoned) this.#abandoned.clear();
    this.#abandoned.add(key);
    this.#add({ holding, strategy: null });
  }

  onTurnEnd(): void {
    const actions = this.#actions;
    this.#actions = [];
    if (this.#ended) return;
    const { writer, world } = this.#service;
    for (const { holding, strategy } of actions) {
      const id = holding.bucket.encodedId;
      if (strategy === null) writer.abandon(id);
      else writer.assign(id, strategy, world.ttlSeconds);
      if (writer.length >= messageOctets && !this.#sink.send(writer.take())) return;
    }
    if (writer.length > 0) this.#sink.send(writer.take());
  }

  #onUsage({ id, elapsedSeconds, allowed, denied }: BucketUsage): void {
    const { stats } = this.#service.world;
    let holding = this.#holdings.get(id.key) ?? null;
    if (holding === null) {
      // Nothing to report of what it was told to forget: the client had not heard of that yet.
      if (this.#abandoned.delete(id.key) && allowed + denied === 0) return;
      holding = this.#service.join(this, this.#domain, id, this.#places);
      if (holding === null) {
        stats.refused++;
        return;
      }
      this.#holdings.set(id.key, holding);
      this.#places += id.places;
    }
    stats.allowed += allowed;
    stats.denied += denied;
    holding.bucket.onReport(holding, elapsedSeconds, allowed, denied);
  }

  #add(action: Action): void {
    if (this.#ended) return;
    this.#actions.push(action);
    if (this.#actions.length === 1) atTurnEnd(this);
  }

  #refuse(problem: string): void {
    this.#service.world.stats.malformed++;
    this.#end();
    this.#sink.finish(GrpcStatus.InvalidArgument, problem);
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#service.onStreamEnded(this.#holdings.values());
    this.#holdings.clear();
  }
}
