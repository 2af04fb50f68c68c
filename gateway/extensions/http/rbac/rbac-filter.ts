import { FilterHeadersStatus } from '#gateway/api/http-filter.ts';
import type { JsonValue } from '#gateway/api/stream-info.ts';
import { PassThroughDecoderFilter } from '#gateway/http/pass-through-filter.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import type { AccessDecision } from '#gateway/route/access-rules/access-engine.ts';
import type { MatchContext } from '#gateway/route/matching/match-context.ts';
import type { RbacConfig, RbacRules } from './rbac-config.ts';

const metadataNamespace = 'envoy.filters.http.rbac';
const logNamespace = 'envoy.common';

/** Lets a request through, or answers 403, by role-based access rules. Envoy's rbac filter. */
export class RbacFilter extends PassThroughDecoderFilter {
  readonly #config: RbacConfig;

  constructor(config: RbacConfig) {
    super();
    this.#config = config;
  }

  override decodeHeaders(request: RequestHead): FilterHeadersStatus {
    const rules = (this.callbacks.routeConfig() as RbacRules | null) ?? this.#config.rules;
    const { engine, shadowEngine } = rules;
    if (engine === null && shadowEngine === null) return FilterHeadersStatus.Continue;
    const context: MatchContext = { request, response: null, streamInfo: this.callbacks.streamInfo };
    if (shadowEngine !== null) this.#noteShadow(rules, shadowEngine.decide(context));
    if (engine === null) return FilterHeadersStatus.Continue;
    const decision = engine.decide(context);
    this.#note(rules, decision);
    if (decision.allowed) return FilterHeadersStatus.Continue;
    const policy = decision.policy === '' ? 'none' : decision.policy.replace(/\s/g, '_');
    this.callbacks.sendLocalReply(403, 'RBAC: access denied', `rbac_access_denied_matched_policy[${policy}]`);
    return FilterHeadersStatus.StopIteration;
  }

  #note(rules: RbacRules, { allowed, policy, logHint }: AccessDecision): void {
    const { stats } = this.#config;
    if (allowed) stats.allowed.inc();
    else stats.denied.inc();
    if (rules.trackPolicies && policy !== '') stats.countPolicy(policy, allowed ? 'allowed' : 'denied');
    if (logHint !== null) this.callbacks.streamInfo.setDynamicMetadata(logNamespace, { access_log_hint: logHint });
    this.#tell(rules.policyKey, policy, rules.resultKey, allowed);
  }

  #noteShadow(rules: RbacRules, { allowed, policy }: AccessDecision): void {
    const { stats } = this.#config;
    if (allowed) stats.shadowAllowed.inc();
    else stats.shadowDenied.inc();
    if (rules.trackPolicies && policy !== '') stats.countPolicy(policy, allowed ? 'shadow_allowed' : 'shadow_denied');
    this.#tell(rules.shadowPolicyKey, policy, rules.shadowResultKey, allowed);
  }

  #tell(policyKey: string, policy: string, resultKey: string, allowed: boolean): void {
    const metadata: { [key: string]: JsonValue } = { [resultKey]: allowed ? 'allowed' : 'denied' };
    if (policy !== '') metadata[policyKey] = policy;
    this.callbacks.streamInfo.setDynamicMetadata(metadataNamespace, metadata);
  }
}
