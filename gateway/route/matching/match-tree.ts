import { ConfigError } from '#gateway/config/diagnostics.ts';
import { compileStringMatcher, type StringPredicate } from '#gateway/config/matcher/string-matcher.ts';
import type { StringMatcher as EnvoyStringMatcher } from '#proto-types/envoy/type/matcher/v3/string_pb.ts';
import type { TypedExtensionConfig } from '#proto-types/xds/core/v3/extension_pb.ts';
import type {
  Matcher,
  Matcher_OnMatch as OnMatchMessage,
  Matcher_MatcherList_Predicate as Predicate,
  Matcher_MatcherList_Predicate_SinglePredicate as SinglePredicate,
  Matcher_MatcherTree as Tree,
} from '#proto-types/xds/type/matcher/v3/matcher_pb.ts';
import { atPath } from '../compile-context.ts';
import { allOf, anyOf, type MatchContext, type MatchPredicate, not } from './match-context.ts';
import { compileCustomMatch } from './match-custom.ts';
import { compileMatchInput, type MatchInput } from './match-input.ts';

/** A compiled xds.type.matcher.v3.Matcher: finds the action for a request. Pure. */
export interface MatchTree<Action> {
  /** The action of what matched, or null. `skipped` is told of matches that do not end the search (`keep_matching`). */
  find(context: MatchContext, skipped?: SkippedMatch<Action> | null): Action | null;
}

/** Told of matches with `keep_matching`, in the order they are met. */
export interface SkippedMatch<Action> {
  onSkippedMatch(action: Action): void;
}

/** Where a matcher is used. */
export interface MatchTreeOptions {
  /** Whether `keep_matching` may be set there. */
  readonly keepMatching: boolean;
}

/** Compiles an action; throws ConfigError with a path relative to the TypedExtensionConfig. */
export type ActionCompiler<Action> = (config: TypedExtensionConfig) => Action;

/** What stands behind a match: an action, a nested tree, or nothing. */
class OnMatch<Action> implements MatchTree<Action> {
  readonly #action: Action | null;
  readonly #tree: MatchTree<Action> | null;
  readonly #keepMatching: boolean;

  constructor(action: Action | null, tree: MatchTree<Action> | null, keepMatching: boolean) {
    this.#action = action;
    this.#tree = tree;
    this.#keepMatching = keepMatching;
  }

  find(context: MatchContext, skipped: SkippedMatch<Action> | null): Action | null {
    const action = this.#tree === null ? this.#action : this.#tree.find(context, skipped);
    if (!this.#keepMatching || action === null) return action;
    skipped?.onSkippedMatch(action);
    return null;
  }
}

class ListTree<Action> implements MatchTree<Action> {
  readonly #predicates: readonly MatchPredicate[];
  readonly #onMatch: readonly OnMatch<Action>[];
  readonly #otherwise: OnMatch<Action>;

  constructor(predicates: readonly MatchPredicate[], onMatch: readonly OnMatch<Action>[], otherwise: OnMatch<Action>) {
    this.#predicates = predicates;
    this.#onMatch = onMatch;
    this.#otherwise = otherwise;
  }

  /** The first match that leads to an action wins. */
  find(context: MatchContext, skipped: SkippedMatch<Action> | null = null): Action | null {
    for (let i = 0; i < this.#predicates.length; i++) {
      if (!this.#predicates[i]!.matches(context)) continue;
      const action = this.#onMatch[i]!.find(context, skipped);
      if (action !== null) return action;
    }
    return this.#otherwise.find(context, skipped);
  }
}

class MapTree<Action> implements MatchTree<Action> {
  readonly #input: MatchInput;
  readonly #map: ReadonlyMap<string, OnMatch<Action>>;
  /** Longest first; null for an exact map. */
  readonly #prefixes: readonly string[] | null;
  readonly #otherwise: OnMatch<Action>;

  constructor(
    input: MatchInput,
    map: ReadonlyMap<string, OnMatch<Action>>,
    prefix: boolean,
    otherwise: OnMatch<Action>,
  ) {
    this.#input = input;
    this.#map = map;
    this.#prefixes = prefix ? [...map.keys()].sort((a, b) => b.length - a.length) : null;
    this.#otherwise = otherwise;
  }

  find(context: MatchContext, skipped: SkippedMatch<Action> | null = null): Action | null {
    const text = this.#input.text(context);
    const action = text === null ? null : this.#lookUp(text, context, skipped);
    return action ?? this.#otherwise.find(context, skipped);
  }

  #lookUp(text: string, context: MatchContext, skipped: SkippedMatch<Action> | null): Action | null {
    if (this.#prefixes === null) return this.#map.get(text)?.find(context, skipped) ?? null;
    for (const prefix of this.#prefixes) {
      if (!text.startsWith(prefix)) continue;
      const action = this.#map.get(prefix)!.find(context, skipped);
      if (action !== null) return action;
    }
    return null;
  }
}

/** Compiles a matcher. Throws ConfigError with a path relative to it. */
export function compileMatchTree<Action>(
  message: Matcher,
  compileAction: ActionCompiler<Action>,
  options: MatchTreeOptions = { keepMatching: false },
): MatchTree<Action> {
  const otherwise = atPath('on_no_match', () => compileOnMatch(message.onNoMatch, compileAction, options));
  const { matcherType } = message;
  switch (matcherType.case) {
    case 'matcherList': {
      const { matchers } = matcherType.value;
      const predicates = matchers.map(({ predicate }, i) =>
        atPath(`matcher_list.matchers[${i}].predicate`, () => compilePredicate(predicate)),
      );
      const onMatch = matchers.map(({ onMatch: one }, i) =>
        atPath(`matcher_list.matchers[${i}].on_match`, () => compileOnMatch(one, compileAction, options)),
      );
      return new ListTree(predicates, onMatch, otherwise);
    }
    case 'matcherTree':
      return atPath('matcher_tree', () => compileMap(matcherType.value, compileAction, options, otherwise));
    default:
      return otherwise;
  }
}

function compileOnMatch<Action>(
  message: OnMatchMessage | undefined,
  compileAction: ActionCompiler<Action>,
  options: MatchTreeOptions,
): OnMatch<Action> {
  const onMatch = message?.onMatch;
  const keep = message?.keepMatching ?? false;
  if (keep && !options.keepMatching)
    throw new ConfigError('keep_matching', 'keep_matching is not supported in this context');
  if (onMatch === undefined || onMatch.case === undefined) return new OnMatch<Action>(null, null, keep);
  if (onMatch.case === 'matcher') {
    const nested = atPath('matcher', () => compileMatchTree(onMatch.value, compileAction, options));
    return new OnMatch<Action>(null, nested, keep);
  }
  const action = atPath('action', () => compileAction(onMatch.value));
  return new OnMatch<Action>(action, null, keep);
}

function compileMap<Action>(
  tree: Tree,
  compileAction: ActionCompiler<Action>,
  options: MatchTreeOptions,
  otherwise: OnMatch<Action>,
): MatchTree<Action> {
  const { treeType } = tree;
  if (treeType.case !== 'exactMatchMap' && treeType.case !== 'prefixMatchMap')
    throw new ConfigError('custom_match', 'a matcher tree of this kind is not supported yet');
  const input = atPath('input', () => compileMatchInput(tree.input));
  const field = treeType.case === 'exactMatchMap' ? 'exact_match_map' : 'prefix_match_map';
  const map = new Map<string, OnMatch<Action>>();
  for (const [key, onMatch] of Object.entries(treeType.value.map))
    map.set(
      key,
      atPath(`${field}.map["${key}"]`, () => compileOnMatch(onMatch, compileAction, options)),
    );
  return new MapTree(input, map, treeType.case === 'prefixMatchMap', otherwise);
}

function compilePredicate(message: Predicate | undefined): MatchPredicate {
  const matchType = message?.matchType;
  switch (matchType?.case) {
    case 'singlePredicate':
      return atPath('single_predicate', () => compileSingle(matchType.value));
    case 'orMatcher':
      return anyOf(compileList(matchType.value.predicate, 'or_matcher'));
    case 'andMatcher':
      return allOf(compileList(matchType.value.predicate, 'and_matcher'));
    case 'notMatcher':
      return not(atPath('not_matcher', () => compilePredicate(matchType.value)));
    default:
      throw new ConfigError('', 'a predicate is required');
  }
}

function compileList(messages: readonly Predicate[], field: string): readonly MatchPredicate[] {
  return messages.map((message, i) => atPath(`${field}.predicate[${i}]`, () => compilePredicate(message)));
}

function compileSingle({ input: inputConfig, matcher }: SinglePredicate): MatchPredicate {
  const input = atPath('input', () => compileMatchInput(inputConfig));
  if (matcher.case === 'customMatch') return atPath('custom_match', () => compileCustomMatch(matcher.value, input));
  if (matcher.case !== 'valueMatch') throw new ConfigError('', 'value_match or custom_match is required');
  // xDS's StringMatcher has the fields of Envoy's.
  const predicate: StringPredicate = atPath('value_match', () =>
    compileStringMatcher(matcher.value as unknown as EnvoyStringMatcher),
  );
  return {
    matches(context) {
      const text = input.text(context);
      return text !== null && predicate.matches(text);
    },
  };
}
