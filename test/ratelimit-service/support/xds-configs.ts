import { createMessage, encodeMessage } from '#gateway/proto/registry.ts';
import type { RateLimitConfig } from '#proto-types/ratelimit/config/ratelimit/v3/rls_conf_pb.ts';

/** One limit of a made-up configuration. */
export interface MadeLimit {
  readonly key: string;
  readonly value?: string;
  readonly unit?: number;
  readonly limit?: number;
  readonly name?: string;
  readonly replaces?: readonly string[];
  readonly unlimited?: boolean;
  readonly shadow?: boolean;
  readonly children?: readonly MadeLimit[];
  /** No `rate_limit` at all. */
  readonly bare?: boolean;
}

interface MadeDescriptor {
  key: string;
  value: string;
  shadowMode: boolean;
  descriptors: MadeDescriptor[];
  rateLimit?: { unit: number; requestsPerUnit: number; unlimited: boolean; name: string; replaces: { name: string }[] };
}

function descriptor(limit: MadeLimit): MadeDescriptor {
  const made = {
    key: limit.key,
    value: limit.value ?? '',
    shadowMode: limit.shadow ?? false,
    descriptors: (limit.children ?? []).map(descriptor),
  };
  if (limit.bare === true) return made;
  return {
    ...made,
    rateLimit: {
      unit: limit.unit ?? (limit.unlimited === true ? 0 : 4),
      requestsPerUnit: limit.limit ?? 0,
      unlimited: limit.unlimited ?? false,
      name: limit.name ?? '',
      replaces: (limit.replaces ?? []).map((name) => ({ name })),
    },
  };
}

/** An encoded ratelimit.config.ratelimit.v3.RateLimitConfig. */
export function madeConfig(name: string, domain: string, limits: readonly MadeLimit[]): Uint8Array {
  return encodeMessage(
    createMessage<RateLimitConfig>('ratelimit.config.ratelimit.v3.RateLimitConfig', {
      name,
      domain,
      descriptors: limits.map(descriptor),
    }),
  );
}
