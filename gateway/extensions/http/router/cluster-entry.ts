import type { RouteEntry } from '#gateway/api/route.ts';
import type { ClusterRequestPolicies } from '#gateway/api/upstream.ts';

/** A route's entry as it is for a cluster with request policies of its own: where both say something, the cluster's count. */
export function entryForCluster(entry: RouteEntry, policies: ClusterRequestPolicies | null): RouteEntry {
  if (policies === null) return entry;
  const { hash, mirrors, retryPolicy } = policies;
  return {
    clusterName: entry.clusterName,
    clusterNotFoundStatus: entry.clusterNotFoundStatus,
    priority: entry.priority,
    timeoutMs: entry.timeoutMs,
    idleTimeoutMs: entry.idleTimeoutMs,
    maxStreamDurationMs: entry.maxStreamDurationMs,
    grpcTimeoutHeaderMaxMs: entry.grpcTimeoutHeaderMaxMs,
    grpcTimeoutHeaderOffsetMs: entry.grpcTimeoutHeaderOffsetMs,
    retryPolicy: retryPolicy ?? entry.retryPolicy,
    rateLimits: entry.rateLimits,
    includeVirtualHostRateLimits: entry.includeVirtualHostRateLimits,
    metadataMatch: entry.metadataMatch,
    autoHostRewrite: entry.autoHostRewrite,
    appendXForwardedHost: entry.appendXForwardedHost,
    upgrades: entry.upgrades,
    terminatesConnect: entry.terminatesConnect,
    mirrors: mirrors ?? entry.mirrors,
    hash: (head, streamInfo, cookies) => (hash ?? entry).hash(head, streamInfo, cookies),
    finalizeRequestHeaders: (head, streamInfo, keepOriginal) =>
      entry.finalizeRequestHeaders(head, streamInfo, keepOriginal),
    finalizeResponseHeaders: (head, requestHead, streamInfo) =>
      entry.finalizeResponseHeaders(head, requestHead, streamInfo),
  };
}
