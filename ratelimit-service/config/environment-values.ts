import { z } from 'zod';
import { parseDuration } from './duration.ts';

/** A reader for each name of `Values`: what a file of settings exports. */
export type EnvironmentShape<Values> = {
  readonly [Name in keyof Values]: z.ZodType<Values[Name], string | undefined>;
};

/** A variable that may hold any text. */
export const text = (fallback: string): z.ZodType<string, string | undefined> => z.string().default(fallback);

/** Go's spellings of booleans, which the reference service takes. Set but empty is a mistake, as there. */
export const boolean = (fallback: boolean): z.ZodType<boolean, string | undefined> =>
  z
    .string()
    .default(String(fallback))
    .refine((value) => /^(1|0|t|f|true|false|TRUE|FALSE|True|False|T|F)$/.test(value), 'is neither true nor false')
    .transform((value) => /^(1|t)/i.test(value));

/** A whole number from 0 to `max`. */
export const integer = (fallback: number, max: number): z.ZodType<number, string | undefined> =>
  z
    .string()
    .default(String(fallback))
    .refine((value) => /^[0-9]+$/.test(value) && Number(value) <= max, `is not a number from 0 to ${max}`)
    .transform(Number);

/** A number with or without a fraction, `least` or more. */
export const decimal = (fallback: number, least: number): z.ZodType<number, string | undefined> =>
  z
    .string()
    .default(String(fallback))
    .refine((value) => value.trim() !== '' && Number(value) >= least, `is not a number of at least ${least}`)
    .transform(Number);

/** Go's durations, as milliseconds. */
export const duration = (fallback: string): z.ZodType<number, string | undefined> =>
  z
    .string()
    .default(fallback)
    .refine((value) => parseDuration(value) !== null, 'is not a duration such as 500ms, 10s or 1h30m')
    .transform((value) => parseDuration(value)!);

/** A port, or 0 for any that is free. */
export const port = (fallback: number): z.ZodType<number, string | undefined> => integer(fallback, 65_535);

/** `name:value,name:value`; empty for none. A name that comes twice has its last value. */
export const pairs = (): z.ZodType<readonly (readonly [name: string, value: string])[], string | undefined> =>
  z
    .string()
    .default('')
    .refine((value) => value.trim() === '' || value.split(',').every((pair) => pair.includes(':')), {
      message: 'is not a list such as name:value,name:value',
    })
    .transform((value) => [...new Map(value.trim() === '' ? [] : value.split(',').map(splitPair))]);

/** A list with commas; empty for none. */
export const list = (): z.ZodType<readonly string[], string | undefined> =>
  z
    .string()
    .default('')
    .transform((value) => (value.trim() === '' ? [] : value.split(',')));

/** The first colon divides, so that a value may contain some, as addresses do. */
function splitPair(pair: string): [name: string, value: string] {
  const colon = pair.indexOf(':');
  return [pair.slice(0, colon), pair.slice(colon + 1)];
}
