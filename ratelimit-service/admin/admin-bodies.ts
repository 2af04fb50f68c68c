import { z } from 'zod';
import { parseDuration } from '../config/duration.ts';
import type { DescriptorEntry } from '../limiter/request.ts';
import { AdminFailure } from './admin-failure.ts';
import type { Exemption } from './exemption.ts';
import type { HotKeyOrder } from './hot-keys.ts';

const maxEntries = 100;

const domain = z.string().min(1, 'must not be empty');

const descriptor = z
  .array(z.strictObject({ key: z.string().min(1, 'must not be empty'), value: z.string().default('') }))
  .min(1, 'must have an entry')
  .max(maxEntries);

const descriptorBody = z.strictObject({ domain, descriptor });

const exemptBody = z
  .strictObject({
    domain,
    scope: z.enum(['descriptor', 'prefix', 'rule']).default('descriptor'),
    descriptor: z
      .array(z.strictObject({ key: z.string().min(1, 'must not be empty'), value: z.string().optional() }))
      .max(maxEntries)
      .default([]),
    rule: z.string().default(''),
    for: z
      .string()
      .refine((text) => parseDuration(text) !== null, 'is not a duration such as 30s, 10m or 2h')
      .transform((text) => parseDuration(text)!),
    reason: z.string().max(1000).default(''),
  })
  .refine(({ scope, rule }) => (scope === 'rule') === (rule !== ''), {
    path: ['rule'],
    message: 'is the name of a rule, for the scope rule only',
  })
  .refine(({ scope, descriptor: entries }) => scope !== 'rule' || entries.length === 0, {
    path: ['descriptor'],
    message: 'must be empty for the scope rule',
  })
  .refine(({ scope, descriptor: entries }) => scope !== 'descriptor' || entries.length > 0, {
    path: ['descriptor'],
    message: 'must have an entry; a whole domain is the scope prefix without entries',
  });

const topQuery = z.strictObject({
  domain: z.string().min(1).optional(),
  by: z.enum(['hits', 'over_limit']).default('hits'),
  count: z
    .string()
    .regex(/^[0-9]{1,5}$/, 'is not a number from 0 to 99999')
    .default('20')
    .transform(Number),
});

/** Reads the body of POST /admin/peek and /admin/reset. Throws {@link AdminFailure} with every problem. */
export function readDescriptorBody(value: unknown): {
  readonly domain: string;
  readonly descriptor: readonly DescriptorEntry[];
} {
  return read(descriptorBody, value);
}

/** Reads the body of POST /admin/exempt; `for` is milliseconds. Throws {@link AdminFailure} with every problem. */
export function readExemptBody(
  value: unknown,
): Pick<Exemption, 'domain' | 'scope' | 'descriptor' | 'rule' | 'reason'> & { readonly for: number } {
  return read(exemptBody, value);
}

/** Reads the query of GET /admin/top. Throws {@link AdminFailure} with every problem. */
export function readTopQuery(value: unknown): {
  readonly domain?: string | undefined;
  readonly by: HotKeyOrder;
  readonly count: number;
} {
  return read(topQuery, value);
}

function read<Shape extends z.ZodType>(shape: Shape, value: unknown): z.output<Shape> {
  const result = shape.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => {
    const where = path.length === 0 ? '' : `${path.join('.')}: `;
    return where + message;
  });
  throw new AdminFailure(400, problems.join('; '));
}
