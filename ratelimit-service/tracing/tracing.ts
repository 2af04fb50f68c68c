import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { RequestPlan } from '../limiter/plan.ts';
import type { LimitRequest } from '../limiter/request.ts';

/** The spans of one call. They end together, the innermost first. */
export interface CallTrace {
  /** The call asks for a decision: span `ShouldRateLimit Execution`. */
  onRequest(request: LimitRequest): void;
  /** It is known what is to be counted: span `Redis Pipeline Execution`. */
  onPlan(plan: RequestPlan): void;
  /** The call is answered. `message` tells why, when `status` (gRPC's) is not 0. */
  end(status: number, message: string): void;
}

/** Makes spans. Whoever holds null instead does nothing at all. */
export interface Tracing {
  /** A gRPC call has come; its headers may name the span that it is part of. */
  startCall(service: string, method: string, headers: HeaderMap): CallTrace;
  /** A call of /json has come. */
  startJson(): CallTrace;
  /** The reply to /json is written: span `NewJsonHandler Remaining Execution`. Answers what ends it. */
  startJsonReply(reply: string): () => void;
  /** Sends what is left, for a short while at most. */
  close(): Promise<void>;
}
