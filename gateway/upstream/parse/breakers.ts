import type { Scope } from '#gateway/stats/stats.ts';
import type { CircuitBreakers } from '#proto-types/envoy/config/cluster/v3/circuit_breaker_pb.ts';
import { BreakerResources, CountedResource, RetryBudget } from '../resource-manager.ts';

/** Thresholds of one priority; Envoy's defaults where nothing is said. */
export interface BreakerThresholds {
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
  readonly retryBudget: { readonly percent: number; readonly minimum: number } | null;
  readonly trackRemaining: boolean;
}

const defaults: BreakerThresholds = {
  maxConnections: 1024,
  maxPendingRequests: 1024,
  maxRequests: 1024,
  maxRetries: 3,
  retryBudget: null,
  trackRemaining: false,
};

/** Thresholds of `default` (0) or `high` (1): the first entry of that priority counts. */
export function readThresholds(message: CircuitBreakers | undefined, priority: 0 | 1): BreakerThresholds {
  const entry = message?.thresholds.find((t) => (t.priority as number) === priority);
  if (entry === undefined) return defaults;
  const budget = entry.retryBudget;
  return {
    maxConnections: entry.maxConnections ?? defaults.maxConnections,
    maxPendingRequests: entry.maxPendingRequests ?? defaults.maxPendingRequests,
    maxRequests: entry.maxRequests ?? defaults.maxRequests,
    maxRetries: entry.maxRetries ?? defaults.maxRetries,
    retryBudget:
      budget === undefined
        ? null
        : { percent: budget.budgetPercent?.value ?? 20, minimum: budget.minRetryConcurrency ?? 3 },
    trackRemaining: entry.trackRemaining,
  };
}

/** `max_connections` of one host, from `per_host_thresholds`; Infinity when there is none. */
export function readPerHostConnections(message: CircuitBreakers | undefined): number {
  return message?.perHostThresholds[0]?.maxConnections ?? Number.POSITIVE_INFINITY;
}

/** Makes the breaker of one priority with its gauges, `circuit_breakers.<priority>.*`. */
export function createResources(
  limits: BreakerThresholds,
  scope: Scope,
  priority: 'default' | 'high',
): BreakerResources {
  const own = scope.scope(`circuit_breakers.${priority}`);
  const counted = (max: number, open: string, remaining: string): CountedResource =>
    new CountedResource(max, own.gauge(open), limits.trackRemaining ? own.gauge(remaining) : null);
  const connections = counted(limits.maxConnections, 'cx_open', 'remaining_cx');
  const pending = counted(limits.maxPendingRequests, 'rq_pending_open', 'remaining_pending');
  const requests = counted(limits.maxRequests, 'rq_open', 'remaining_rq');
  own.gauge('cx_pool_open').set(0);
  const budget = limits.retryBudget;
  const retries =
    budget === null
      ? counted(limits.maxRetries, 'rq_retry_open', 'remaining_retries')
      : new RetryBudget(
          budget.percent,
          budget.minimum,
          requests,
          pending,
          own.gauge('rq_retry_open'),
          limits.trackRemaining ? own.gauge('remaining_retries') : null,
        );
  return new BreakerResources(connections, pending, requests, retries);
}
