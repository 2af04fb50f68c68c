import type { DescriptorStatus } from '#gateway/route/rate-limit-call/response-reader.ts';

// Seconds by RateLimitResponse.RateLimit.Unit: UNKNOWN, SECOND, MINUTE, HOUR, DAY, MONTH, YEAR, WEEK.
const windows: readonly number[] = [0, 1, 60, 3600, 86_400, 2_592_000, 31_536_000, 604_800];

/** x-ratelimit-limit, -remaining and -reset (draft 03) for the descriptor with the least left; `[name, value, ...]`. */
export function xRateLimitHeaders(statuses: readonly DescriptorStatus[]): string[] {
  let least: DescriptorStatus | null = null;
  let policy = '';
  for (const status of statuses) {
    if (!status.limited) continue;
    if (least === null || status.remaining < least.remaining) least = status;
    const window = windows[status.unit] ?? 0;
    if (window > 0) {
      policy += `, ${status.requestsPerUnit};w=${window}`;
      if (status.name !== '') policy += `;name="${status.name}"`;
    }
  }
  if (least === null) return [];
  return [
    'x-ratelimit-limit',
    `${least.requestsPerUnit}${policy}`,
    'x-ratelimit-remaining',
    String(least.remaining),
    'x-ratelimit-reset',
    String(least.resetSeconds),
  ];
}
