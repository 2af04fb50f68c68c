const unitsMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};
const maxDigits = 8;

/**
 * Reads `grpc-timeout`: up to eight digits and a unit. Returns milliseconds (with fractions), or null when it is absent or
 * not well formed. gRPC over HTTP/2, "Timeout".
 */
export function readGrpcTimeout(value: string | null): number | null {
  if (value === null) return null;
  const digits = value.length - 1;
  if (digits < 1 || digits > maxDigits) return null;
  const unitMs = unitsMs[value[digits]!];
  if (unitMs === undefined) return null;
  let amount = 0;
  for (let i = 0; i < digits; i++) {
    const digit = value.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return null;
    amount = amount * 10 + digit;
  }
  return amount * unitMs;
}

/** Writes a `grpc-timeout` of `timeoutMs`, rounded up to a millisecond, or to the unit that eight digits allow. */
export function formatGrpcTimeout(timeoutMs: number): string {
  const ms = Math.ceil(Math.max(timeoutMs, 0));
  if (ms < 1e8) return `${ms}m`;
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 1e8) return `${seconds}S`;
  const minutes = Math.ceil(ms / 60_000);
  return minutes < 1e8 ? `${minutes}M` : `${Math.min(Math.ceil(ms / 3_600_000), 99_999_999)}H`;
}
