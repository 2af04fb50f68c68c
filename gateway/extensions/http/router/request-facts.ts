import { isGrpcContentType } from '#gateway/protocol/grpc/content-type.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';

/** What one pass over a request's headers tells the router. */
export const RequestFact = {
  /** Some header starts with `x-envoy-`: the slow path that reads and removes them is needed. */
  EnvoyHeaders: 1,
  Grpc: 2,
} as const;

/** Looks once at all names. Bits of RequestFact. */
export function requestFacts(head: RequestHead): number {
  let facts = 0;
  const { entries } = head.headers;
  for (let i = 0; i < entries.length; i += 2) {
    const name = entries[i]!;
    if (name.charCodeAt(0) === 0x78) {
      if (name.startsWith('x-envoy-')) facts |= RequestFact.EnvoyHeaders;
    } else if (name === 'content-type' && isGrpcContentType(entries[i + 1]!)) {
      facts |= RequestFact.Grpc;
    }
  }
  return facts;
}

/** A header's value as a whole number of milliseconds (or retries), or null. */
export function readWhole(value: string | null): number | null {
  return value !== null && /^\d{1,10}$/.test(value) ? Number(value) : null;
}
