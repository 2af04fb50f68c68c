/** A protobuf duration in milliseconds with fractions, or `fallback` when there is none. */
export function durationMs(
  duration: { readonly seconds: bigint; readonly nanos: number } | undefined,
  fallback: number,
): number {
  return duration === undefined ? fallback : Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}
