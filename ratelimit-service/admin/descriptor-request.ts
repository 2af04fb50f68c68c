import type { DescriptorEntry, LimitRequest } from '../limiter/request.ts';

/** A request with this one descriptor that counts nothing. */
export function descriptorRequest(domain: string, entries: readonly DescriptorEntry[]): LimitRequest {
  return { domain, descriptors: [{ entries, limit: null, hitsAddend: 0 }], hitsAddend: 0 };
}
