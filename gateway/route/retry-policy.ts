import type { RetryPolicy } from '#gateway/api/route.ts';
import { ConfigError } from '#gateway/config/diagnostics.ts';
import { compileHeaderMatchers } from '#gateway/config/matcher/header-matcher.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import { typeNameOf, unpackAny } from '#gateway/proto/registry.ts';
import { parseRetryPolicyOn } from '#gateway/upstream/retry-on.ts';
import type { RetryPolicy as RetryPolicyMessage } from '#proto-types/envoy/config/route/v3/route_components_pb.ts';
import type { PreviousPrioritiesConfig } from '#proto-types/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.ts';

const PREVIOUS_HOSTS = 'envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate';
const PREVIOUS_PRIORITIES = 'envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig';
const DEFAULT_BASE_INTERVAL_MS = 25;

/** Compiles a RetryPolicy. Throws ConfigError with a path relative to the message. */
export function compileRetryPolicy(message: RetryPolicyMessage): RetryPolicy {
  const base = Math.max(1, durationMs(message.retryBackOff?.baseInterval, DEFAULT_BASE_INTERVAL_MS));
  const max = durationMs(message.retryBackOff?.maxInterval, base * 10);
  if (max < base)
    throw new ConfigError('retry_back_off.max_interval', 'must be greater than or equal to the base interval');
  let avoidPreviousHosts = false;
  message.retryHostPredicate.forEach(({ name, configType }, i) => {
    const typeName = configType.case === 'typedConfig' ? typeNameOf(configType.value) : '';
    if (typeName !== PREVIOUS_HOSTS && name !== 'envoy.retry_host_predicates.previous_hosts')
      throw new ConfigError(`retry_host_predicate[${i}]`, `host predicate ${typeName || name} is not supported yet`);
    avoidPreviousHosts = true;
  });
  return {
    retryOn: parseRetryPolicyOn(message.retryOn),
    numRetries: message.numRetries ?? 1,
    perTryTimeoutMs: durationMs(message.perTryTimeout, 0),
    perTryIdleTimeoutMs: durationMs(message.perTryIdleTimeout, 0),
    retriableStatusCodes: message.retriableStatusCodes,
    retriableHeaders: compileHeaderMatchers(message.retriableHeaders, 'retriable_headers'),
    retriableRequestHeaders: compileHeaderMatchers(message.retriableRequestHeaders, 'retriable_request_headers'),
    backOffBaseMs: base,
    backOffMaxMs: max,
    avoidPreviousHosts,
    hostSelectionRetryMaxAttempts:
      message.hostSelectionRetryMaxAttempts === 0n ? 1 : Number(message.hostSelectionRetryMaxAttempts),
    previousPrioritiesFrequency: readRetryPriority(message.retryPriority),
  };
}

function readRetryPriority(message: RetryPolicyMessage['retryPriority']): number {
  if (message === undefined) return 0;
  const any = message.configType.case === 'typedConfig' ? message.configType.value : undefined;
  if (any === undefined || typeNameOf(any) !== PREVIOUS_PRIORITIES) {
    throw new ConfigError('retry_priority', `retry priority ${message.name} is not supported yet`);
  }
  return unpackAny<PreviousPrioritiesConfig>(any).updateFrequency;
}
