/** A protobuf duration in milliseconds, rounded to whole ones as Envoy does; `fallback` when the field is not set. */
export function durationMs(
  duration: { readonly seconds: bigint; readonly nanos: number } | undefined,
  fallback: number,
): number {
  return duration === undefined ? fallback : Number(duration.seconds) * 1000 + Math.trunc(duration.nanos / 1_000_000);
}
