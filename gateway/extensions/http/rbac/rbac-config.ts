import type { ExtensionContext } from '#gateway/api/context.ts';
import { type AccessEngine, compileAccessEngine } from '#gateway/route/access-rules/access-engine.ts';
import type { Counter, Scope } from '#gateway/stats/stats.ts';
import type { RBAC, RBACPerRoute } from '#proto-types/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts';

/** The rules of the filter or of a route; null engines decide nothing. */
export interface RbacRules {
  readonly engine: AccessEngine | null;
  readonly shadowEngine: AccessEngine | null;
  /** Keys of the dynamic metadata that tells the outcome. */
  readonly resultKey: string;
  readonly policyKey: string;
  readonly shadowResultKey: string;
  readonly shadowPolicyKey: string;
  readonly trackPolicies: boolean;
}

/** Counters of one RBAC filter. Routes count here too. */
export class RbacStats {
  readonly allowed: Counter;
  readonly denied: Counter;
  readonly shadowAllowed: Counter;
  readonly shadowDenied: Counter;
  readonly #rules: Scope;
  readonly #shadow: Scope;
  readonly #policies = new Map<string, Counter>();

  constructor(message: RBAC, scope: Scope) {
    this.#rules = scope.scope(joined(message.rulesStatPrefix));
    this.#shadow = scope.scope(joined(message.shadowRulesStatPrefix));
    this.allowed = this.#rules.counter('allowed');
    this.denied = this.#rules.counter('denied');
    this.shadowAllowed = this.#shadow.counter('shadow_allowed');
    this.shadowDenied = this.#shadow.counter('shadow_denied');
  }

  /** Counts `policy.<name>.<outcome>`. Policies are few: their counters are made when first needed. */
  countPolicy(policy: string, outcome: 'allowed' | 'denied' | 'shadow_allowed' | 'shadow_denied'): void {
    const name = `policy.${policy}.${outcome}`;
    let counter = this.#policies.get(name);
    if (counter === undefined) {
      counter = (outcome.startsWith('shadow') ? this.#shadow : this.#rules).counter(name);
      this.#policies.set(name, counter);
    }
    counter.inc();
  }
}

function joined(prefix: string): string {
  return prefix === '' ? 'rbac' : `rbac.${prefix}`;
}

/** What all streams of one RBAC filter share. */
export interface RbacConfig {
  readonly rules: RbacRules;
  readonly stats: RbacStats;
}

/** Compiles the filter's rules; problems go to the context's diagnostics. */
export function compileRbacRules(message: RBAC, { diagnostics }: ExtensionContext, path = ''): RbacRules {
  const at = path === '' ? diagnostics : diagnostics.at(path);
  const { rulesStatPrefix: prefix, shadowRulesStatPrefix: shadowPrefix } = message;
  const engine = at.try(() => compileAccessEngine(message.rules, 'rules', message.matcher, 'matcher'));
  const shadow = at.try(() =>
    compileAccessEngine(message.shadowRules, 'shadow_rules', message.shadowMatcher, 'shadow_matcher'),
  );
  return {
    engine: engine ?? null,
    shadowEngine: shadow ?? null,
    resultKey: `${prefix}enforced_engine_result`,
    policyKey: `${prefix}enforced_effective_policy_id`,
    shadowResultKey: `${shadowPrefix}shadow_engine_result`,
    shadowPolicyKey: `${shadowPrefix}shadow_effective_policy_id`,
    trackPolicies: message.trackPerRuleStats,
  };
}

const noRules: RbacRules = {
  engine: null,
  shadowEngine: null,
  resultKey: '',
  policyKey: '',
  shadowResultKey: '',
  shadowPolicyKey: '',
  trackPolicies: false,
};

/** Compiles an RBACPerRoute; without `rbac` the filter does nothing there. */
export function compileRbacRoute(message: RBACPerRoute, context: ExtensionContext): RbacRules {
  return message.rbac === undefined ? noRules : compileRbacRules(message.rbac, context, 'rbac');
}
