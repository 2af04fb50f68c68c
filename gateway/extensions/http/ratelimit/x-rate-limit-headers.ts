import type { DescriptorStatus } from '#gateway/route/rate-limit-call/response-reader.ts';

// Seconds by RateLimitResponse.RateLimit.Unit: UNKNOWN, SECOND, MINUTE, HOUR, DAY, MONTH, YEAR, WEEK.
const windows: readonly number[] = [0, 1, 60, 3600, 86_400, 2_592_000, 31_536_000, 604_800];

/**
 * x-ratelimit-limit, -remaining and -reset (draft 03) for the descriptor with the least left; `[name, value, ...]`.
 * `options`: what the rules of the first descriptors say about these headers; `otherwise` stands for null and for the rest.
 * Nothing is told when the descriptor with the least left is not to be told; the others only miss in the list of limits.
 */
export function xRateLimitHeaders(
  statuses: readonly DescriptorStatus[],
  options: readonly (boolean | null)[],
  otherwise: boolean,
): string[] {
  let least: DescriptorStatus | null = null;
  let leastTold = false;
  let policy = '';
  for (let i = 0; i < statuses.length; i++) {
    const status = statuses[i]!;
    if (!status.limited) continue;
    const told = options[i] ?? otherwise;
    if (least === null || status.remaining < least.remaining) {
      least = status;
      leastTold = told;
    }
    const window = windows[status.unit] ?? 0;
    if (told && window > 0) {
      policy += `, ${status.requestsPerUnit};w=${window}`;
      if (status.name !== '') policy += `;name="${status.name}"`;
    }
  }
  if (least === null || !leastTold) return [];
  return [
    'x-ratelimit-limit',
    `${least.requestsPerUnit}${policy}`,
    'x-ratelimit-remaining',
    String(least.remaining),
    'x-ratelimit-reset',
    String(least.resetSeconds),
  ];
}
