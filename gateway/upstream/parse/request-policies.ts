import type { ClusterRequestPolicies } from '#gateway/api/upstream.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { compileMirror } from '#gateway/route/forward-settings.ts';
import { compileHashPolicies } from '#gateway/route/hash-policy.ts';
import { compileRetryPolicy } from '#gateway/route/retry-policy.ts';
import type { HttpProtocolOptions } from '#proto-types/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts';

/** `hash_policy`, `request_mirror_policies` and `retry_policy` of a cluster; null when it has none of them. */
export function readRequestPolicies(
  message: HttpProtocolOptions | null,
  found: Diagnostics,
): ClusterRequestPolicies | null {
  if (message === null) return null;
  const { hashPolicy, requestMirrorPolicies, retryPolicy } = message;
  if (hashPolicy.length === 0 && requestMirrorPolicies.length === 0 && retryPolicy === undefined) return null;
  return {
    hash: found.try(() => compileHashPolicies(hashPolicy)) ?? null,
    mirrors: requestMirrorPolicies.length === 0 ? null : requestMirrorPolicies.map(compileMirror),
    retryPolicy:
      retryPolicy === undefined ? null : (found.at('retry_policy').try(() => compileRetryPolicy(retryPolicy)) ?? null),
  };
}
