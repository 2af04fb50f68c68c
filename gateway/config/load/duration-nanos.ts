const NANOS_PER_SECOND = 1_000_000_000n;

/** A protobuf duration in nanoseconds. */
export function durationNanos(duration: { readonly seconds: bigint; readonly nanos: number }): bigint {
  return duration.seconds * NANOS_PER_SECOND + BigInt(duration.nanos);
}
