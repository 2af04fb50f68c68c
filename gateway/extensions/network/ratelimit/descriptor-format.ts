import type { RateLimitDescriptor } from '#gateway/api/route.ts';
import type { StreamInfo } from '#gateway/api/stream-info.ts';
import { ConfigError } from '#gateway/config/diagnostics.ts';
import { compileFormat } from '#gateway/formatter/compile-format.ts';
import { HeadFormatContext } from '#gateway/route/format-context.ts';
import type { RateLimitDescriptor as DescriptorMessage } from '#proto-types/envoy/extensions/common/ratelimit/v3/ratelimit_pb.ts';

/** Makes one descriptor of a connection. Pure. */
export type DescriptorFormat = (streamInfo: StreamInfo) => RateLimitDescriptor;

/** Compiles `descriptors`, whose values may hold command operators. Throws ConfigError with paths that begin with `path`. */
export function compileDescriptors(messages: readonly DescriptorMessage[], path: string): readonly DescriptorFormat[] {
  return messages.map(({ entries }, i) => {
    const parts = entries.map(({ key, value }, j) => {
      try {
        return { key, format: value.includes('%') ? compileFormat(value, true) : null, value };
      } catch (error) {
        if (error instanceof ConfigError)
          throw new ConfigError(`${path}[${i}].entries[${j}].value`, error.problem, error.suggestion);
        throw error;
      }
    });
    return (streamInfo) => ({
      entries: parts.map(({ key, format, value }) => ({
        key,
        value: format === null ? value : format.format(new HeadFormatContext(null, null, streamInfo)),
      })),
      limit: null,
      hitsAddend: null,
    });
  });
}
