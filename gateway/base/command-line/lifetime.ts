const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Reads `90s`, `45m`, `24h`, `7d` as milliseconds; null when it is no such time. */
export function readLifetime(text: string): number | null {
  const match = /^([0-9]{1,9}(?:\.[0-9]{1,3})?)([smhd])$/.exec(text);
  return match === null ? null : Number(match[1]) * unitMs[match[2]!]!;
}

/** A duration as people read it, in its two largest units: `3d 4h`, `59m`, `0s`. Negative ones carry a minus sign. */
export function lifetimeText(ms: number): string {
  let seconds = Math.floor(Math.abs(ms) / 1000);
  const parts: string[] = [];
  for (const [unit, size] of [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
    ['s', 1],
  ] as const) {
    const count = Math.floor(seconds / size);
    seconds -= count * size;
    if (count > 0 && parts.length < 2) parts.push(`${count}${unit}`);
  }
  return `${ms < 0 ? '-' : ''}${parts.join(' ') || '0s'}`;
}
