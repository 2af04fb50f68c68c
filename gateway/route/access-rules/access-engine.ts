import { ConfigError } from '#gateway/config/diagnostics.ts';
import { typeNameOf, unpackAny } from '#gateway/proto/registry.ts';
import type { Action, Policy, RBAC } from '#proto-types/envoy/config/rbac/v3/rbac_pb.ts';
import type { TypedExtensionConfig } from '#proto-types/xds/core/v3/extension_pb.ts';
import type { Matcher } from '#proto-types/xds/type/matcher/v3/matcher_pb.ts';
import { atPath } from '../compile-context.ts';
import { compileOldCel } from '../matching/cel-expression.ts';
import { allOf, anyOf, type MatchContext, type MatchPredicate } from '../matching/match-context.ts';
import { compileMatchTree, type MatchTree } from '../matching/match-tree.ts';
import { compilePermission } from './permission.ts';
import { compilePrincipal } from './principal.ts';

/** RBAC.Action, by number. */
const RbacAction = { Allow: 0, Deny: 1, Log: 2 } as const;
const rbacAction = 'envoy.config.rbac.v3.Action';

/** What an engine decides about one request or connection. */
export interface AccessDecision {
  readonly allowed: boolean;
  /** Name of the policy or action that matched, or ''. */
  readonly policy: string;
  /** For engines that log: the `access_log_hint` of `envoy.common`; null: the engine does not log. */
  readonly logHint: boolean | null;
}

/** Decides by RBAC rules or by a matcher. Pure. */
export interface AccessEngine {
  decide(context: MatchContext): AccessDecision;
}

class RulesEngine implements AccessEngine {
  readonly #names: readonly string[];
  readonly #policies: readonly MatchPredicate[];
  readonly #onMatch: readonly AccessDecision[];
  readonly #otherwise: AccessDecision;

  constructor({ action, policies }: RBAC) {
    // Envoy keeps policies in a sorted map: the first name in byte order wins.
    this.#names = Object.keys(policies).sort((a, b) => (a < b ? -1 : 1));
    this.#policies = this.#names.map((name) => atPath(`policies["${name}"]`, () => compilePolicy(policies[name]!)));
    const logs = (action as number) === RbacAction.Log;
    const allows = (action as number) !== RbacAction.Deny;
    this.#onMatch = this.#names.map((policy) => ({ allowed: allows, policy, logHint: logs ? true : null }));
    this.#otherwise = { allowed: logs || !allows, policy: '', logHint: logs ? false : null };
  }

  decide(context: MatchContext): AccessDecision {
    for (let i = 0; i < this.#policies.length; i++) {
      if (this.#policies[i]!.matches(context)) return this.#onMatch[i]!;
    }
    return this.#otherwise;
  }
}

const noMatch: AccessDecision = { allowed: false, policy: '', logHint: null };

class MatcherEngine implements AccessEngine {
  readonly #tree: MatchTree<AccessDecision>;

  constructor(matcher: Matcher) {
    let logs = false;
    const actions: { allowed: boolean; policy: string; logHint: boolean | null }[] = [];
    this.#tree = compileMatchTree<AccessDecision>(matcher, (config) => {
      const { name, action } = readAction(config);
      if ((action as number) === RbacAction.Log) logs = true;
      const decision = {
        allowed: (action as number) !== RbacAction.Deny,
        policy: name,
        logHint: (action as number) === RbacAction.Log,
      };
      actions.push(decision);
      return decision;
    });
    if (!logs) for (const decision of actions) (decision as { logHint: boolean | null }).logHint = null;
  }

  decide(context: MatchContext): AccessDecision {
    return this.#tree.find(context) ?? noMatch;
  }
}

function readAction(config: TypedExtensionConfig): Action {
  const any = config.typedConfig;
  if (any === undefined || typeNameOf(any) !== rbacAction)
    throw new ConfigError('typed_config', `the action must be an ${rbacAction}`);
  return unpackAny<Action>(any);
}

function compilePolicy(policy: Policy): MatchPredicate {
  const permissions = policy.permissions.map((one, i) => atPath(`permissions[${i}]`, () => compilePermission(one)));
  const principals = policy.principals.map((one, i) => atPath(`principals[${i}]`, () => compilePrincipal(one)));
  const parts = [anyOf(permissions), anyOf(principals)];
  const { condition, checkedCondition } = policy;
  if (condition !== undefined) parts.push(atPath('condition', () => compileOldCel(condition, 'cel.expr.Expr')));
  if (checkedCondition !== undefined)
    parts.push(atPath('checked_condition', () => compileOldCel(checkedCondition, 'cel.expr.CheckedExpr')));
  return allOf(parts);
}

/**
 * Compiles `matcher` or, when there is none, `rules`; null when there is neither. Throws ConfigError with a path that
 * begins with one of the two field names.
 */
export function compileAccessEngine(
  rules: RBAC | undefined,
  rulesField: string,
  matcher: Matcher | undefined,
  matcherField: string,
): AccessEngine | null {
  if (matcher !== undefined) return atPath(matcherField, () => new MatcherEngine(matcher));
  return rules === undefined ? null : atPath(rulesField, () => new RulesEngine(rules));
}
