import { editDistance } from '#gateway/base/nearest-name.ts';

/** Shorter names are left alone: too many words of an environment are near them. */
const leastLength = 8;

/** A name further away than this was meant for another program. */
const mostEdits = 2;

/**
 * Variables that have nearly the name of a setting, each as a sentence. An environment holds much that is not ours, so only
 * what is a slip or two away is told of.
 */
export function misspeltNames(
  env: Readonly<Record<string, string | undefined>>,
  names: readonly string[],
): readonly string[] {
  const known = new Set(names);
  const notices: string[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || known.has(name) || name.length < leastLength || !/^[A-Z0-9]+_[A-Z0-9_]+$/.test(name)) {
      continue;
    }
    const near = names.find(
      (each) => Math.abs(each.length - name.length) <= mostEdits && editDistance(name, each) <= mostEdits,
    );
    if (near !== undefined) notices.push(`${name} is not a setting and has no effect; did you mean ${near}?`);
  }
  return notices;
}
