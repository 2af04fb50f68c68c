import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import { parseRetryGrpcOn, parseRetryOn } from '#gateway/upstream/retry-on.ts';

const isWhole = (value: string): boolean => /^\d{1,10}$/.test(value);
const allKnown =
  (read: (text: string) => number) =>
  (value: string): boolean =>
    value.split(',').every((word) => read(word) !== 0);

/** What `strict_check_headers` may name, and when a value is well formed. */
const checks = new Map<string, (value: string) => boolean>([
  ['x-envoy-upstream-rq-timeout-ms', isWhole],
  ['x-envoy-upstream-rq-per-try-timeout-ms', isWhole],
  ['x-envoy-max-retries', isWhole],
  ['x-envoy-retry-on', allKnown(parseRetryOn)],
  ['x-envoy-retry-grpc-on', allKnown(parseRetryGrpcOn)],
]);

/** The first of `names` whose value is not well formed, or null. */
export function findMalformed(names: readonly string[], head: RequestHead): { name: string; value: string } | null {
  for (const name of names) {
    const value = head.headers.get(name);
    if (value !== null && checks.get(name)?.(value) === false) return { name, value };
  }
  return null;
}
