import type { GivenFlags } from '#gateway/base/command-line/flags.ts';
import { UsageError } from '#gateway/base/command-line/usage-error.ts';

/** A number that is a flag's value. Throws {@link UsageError}. */
export function wholeNumber(given: GivenFlags, name: string, usual: number): number {
  const text = given.text(name);
  if (text === null) return usual;
  if (!/^[0-9]{1,9}$/.test(text)) throw new UsageError(`--${name} ${text}: it is not a whole number`);
  return Number(text);
}
