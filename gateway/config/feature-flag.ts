import type { RuntimeFlags } from '#gateway/api/context.ts';
import type { RuntimeFeatureFlag } from '#proto-types/envoy/config/core/v3/base_pb.ts';

/** Answers whether something is on now: a RuntimeFeatureFlag. Absent: on. */
export function readFeatureFlag(
  message: RuntimeFeatureFlag | undefined,
  runtime: Pick<RuntimeFlags, 'boolean'>,
): () => boolean {
  if (message === undefined) return () => true;
  const { runtimeKey, defaultValue = true } = message;
  return runtimeKey === '' ? () => defaultValue : () => runtime.boolean(runtimeKey, defaultValue);
}
