import { z } from 'zod';

/** What is let through for a while. */
export interface Exemption {
  readonly id: string;
  readonly domain: string;
  /** `descriptor`: exactly these entries; `prefix`: all that begin with them; `rule`: all that a rule limits. */
  readonly scope: 'descriptor' | 'prefix' | 'rule';
  /** Without a value any will do, and a `*` in one stands for any text. Empty for a rule. */
  readonly descriptor: readonly ExemptEntry[];
  /** The rule's name, as `/rlconfig` shows it; empty for the other scopes. */
  readonly rule: string;
  readonly reason: string;
  /** Whose token it was made with. */
  readonly by: string;
  /** Unix time, milliseconds. */
  readonly until_ms: number;
}

/** One entry of an exemption. */
export interface ExemptEntry {
  readonly key: string;
  readonly value?: string | undefined;
}

/** What one is made of, before it has a place and an end. */
export type ExemptionWish = Omit<Exemption, 'until_ms'>;

/** Exemptions at once, in all domains. */
export const maxExemptions = 1000;

/** Longest exemption, milliseconds: 31 days. */
export const maxExemptionMs: number = 31 * 86_400_000;

/** Texts of one exemption are at most so long together, characters. */
export const maxExemptionLength = 8192;

const schema: z.ZodType<ExemptionWish> = z.object({
  id: z.string(),
  domain: z.string(),
  scope: z.enum(['descriptor', 'prefix', 'rule']),
  descriptor: z.array(z.object({ key: z.string(), value: z.string().optional() })),
  rule: z.string(),
  reason: z.string(),
  by: z.string(),
});

/** Reads what another instance wrote; null when it is none. */
export function readExemption(json: string, untilMs: number): Exemption | null {
  try {
    return { ...schema.parse(JSON.parse(json)), until_ms: untilMs };
  } catch {
    return null;
  }
}
