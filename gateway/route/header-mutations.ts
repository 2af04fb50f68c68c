import type { Formatter, FormatterContext } from '#gateway/api/access-log.ts';
import { ConfigError, joinPath } from '#gateway/config/diagnostics.ts';
import { AppendAction, appendActionOf, headerValueText } from '#gateway/config/header-value.ts';
import { compileStringMatcher, type StringPredicate } from '#gateway/config/matcher/string-matcher.ts';
import { compileFormat } from '#gateway/formatter/compile-format.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { type RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { HeaderMutation } from '#proto-types/envoy/config/common/mutation_rules/v3/mutation_rules_pb.ts';
import type { HeaderValueOption } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import { addHeader, isHeadField } from './head-fields.ts';

interface Addition {
  readonly name: string;
  /** The value when it has no commands; else null. */
  readonly constant: string | null;
  readonly format: Formatter | null;
  readonly action: number;
  readonly keepEmpty: boolean;
}

/** Header additions and removals of one place of the configuration, compiled. Immutable. */
export class HeaderMutations {
  readonly #removals: readonly string[];
  readonly #removalTests: readonly StringPredicate[];
  readonly #additions: readonly Addition[];

  constructor(removals: readonly string[], removalTests: readonly StringPredicate[], additions: readonly Addition[]) {
    this.#removals = removals;
    this.#removalTests = removalTests;
    this.#additions = additions;
  }

  /** Removes, then overwrites, then adds. Formats see the head as it was before. */
  apply(head: RequestHead | ResponseHead, context: FormatterContext): void {
    for (const name of this.#removals) head.headers.remove(name);
    for (const test of this.#removalTests) head.headers.removeWhere((name) => test.matches(name));
    const additions = this.#additions;
    if (additions.length === 0) return;
    if (additions.length === 1) {
      const value = additionValue(additions[0]!, head, context);
      if (value !== null) write(head, additions[0]!, value);
      return;
    }
    const values = additions.map((addition) => additionValue(addition, head, context));
    for (let i = 0; i < additions.length; i++) {
      if (values[i] !== null && additions[i]!.action >= AppendAction.OverwriteOrAdd)
        write(head, additions[i]!, values[i]!);
    }
    for (let i = 0; i < additions.length; i++) {
      if (values[i] !== null && additions[i]!.action < AppendAction.OverwriteOrAdd)
        write(head, additions[i]!, values[i]!);
    }
  }

  /** The same for trailers. */
  applyToTrailers(trailers: HeaderMap, context: FormatterContext): void {
    this.apply(new ResponseHead(200, trailers), context);
  }
}

/** The value to write, or null when this addition has nothing to do. */
function additionValue(addition: Addition, head: RequestHead | ResponseHead, context: FormatterContext): string | null {
  const { action, name } = addition;
  if (action === AppendAction.AddIfAbsent && head.get(name) !== null) return null;
  if (action === AppendAction.Overwrite && head.get(name) === null) return null;
  const value = addition.constant ?? addition.format!.format(context);
  return value === '' && !addition.keepEmpty ? null : value;
}

function write(head: RequestHead | ResponseHead, addition: Addition, value: string): void {
  const { name } = addition;
  if (addition.action >= AppendAction.OverwriteOrAdd) head.headers.set(name, value);
  else addHeader(head, name, value);
}

/** Compiles one addition. Throws ConfigError with a path relative to the HeaderValueOption. */
function compileAddition(option: HeaderValueOption): Addition {
  const { header } = option;
  if (header === undefined || header.key === '') throw new ConfigError('header.key', 'a header needs a name');
  if (isHeadField(header.key.toLowerCase()))
    throw new ConfigError('header.key', ':-prefixed or host headers may not be modified');
  const text = headerValueText(header);
  let format: Formatter | null = null;
  if (text.includes('%')) {
    try {
      format = compileFormat(text, true);
    } catch (error) {
      if (error instanceof ConfigError) throw new ConfigError('header.value', error.problem);
      throw error;
    }
  }
  return {
    name: header.key.toLowerCase(),
    constant: format === null ? text : null,
    format,
    action: appendActionOf(option),
    keepEmpty: option.keepEmptyValue,
  };
}

function within<T>(path: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError(joinPath(path, error.path), error.problem);
    throw error;
  }
}

/**
 * Compiles `..._headers_to_add` and `..._headers_to_remove`; null when both are empty. Throws ConfigError with paths that
 * begin with `addPath` or `removePath`.
 */
export function compileHeaderMutations(
  additions: readonly HeaderValueOption[],
  addPath: string,
  removals: readonly string[],
  removePath: string,
): HeaderMutations | null {
  if (additions.length === 0 && removals.length === 0) return null;
  const removed = removals.map((name, i) => {
    if (isHeadField(name.toLowerCase()))
      throw new ConfigError(`${removePath}[${i}]`, ':-prefixed or host headers may not be removed');
    return name.toLowerCase();
  });
  const added = additions.map((option, i) => within(`${addPath}[${i}]`, () => compileAddition(option)));
  return new HeaderMutations(removed, [], added);
}

/** Compiles a list of envoy.config.common.mutation_rules.v3.HeaderMutation; they apply one after the other. */
export function compileMutationList(mutations: readonly HeaderMutation[], path: string): readonly HeaderMutations[] {
  return mutations.map(({ action }, i) =>
    within(`${path}[${i}]`, () => {
      switch (action.case) {
        case 'remove':
          if (isHeadField(action.value.toLowerCase()))
            throw new ConfigError('remove', ':-prefixed or host headers may not be removed');
          return new HeaderMutations([action.value.toLowerCase()], [], []);
        case 'append':
          return new HeaderMutations([], [], [within('append', () => compileAddition(action.value))]);
        case 'removeOnMatch': {
          const { keyMatcher } = action.value;
          if (keyMatcher === undefined) throw new ConfigError('remove_on_match.key_matcher', 'a matcher is required');
          const test = within('remove_on_match.key_matcher', () => compileStringMatcher(keyMatcher));
          return new HeaderMutations([], [test], []);
        }
        default:
          throw new ConfigError('', 'a mutation must append or remove');
      }
    }),
  );
}

/** Applies mutations in order. */
export function applyMutationList(
  list: readonly HeaderMutations[],
  head: RequestHead | ResponseHead,
  context: FormatterContext,
): void {
  for (let i = 0; i < list.length; i++) list[i]!.apply(head, context);
}
