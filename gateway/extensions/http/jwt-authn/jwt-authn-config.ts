import type { ExtensionContext, RuntimeFlags } from '#gateway/api/context.ts';
import type { StreamInfo } from '#gateway/api/stream-info.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import { barePath, compilePathMatcher, type PathMatcher } from '#gateway/route/path-matcher.ts';
import { compileRouteCondition, type RouteCondition } from '#gateway/route/route-condition.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type {
  JwtAuthentication,
  JwtRequirement,
  PerRouteConfig,
  RequirementRule,
} from '#proto-types/envoy/extensions/filters/http/jwt_authn/v3/config_pb.ts';
import { createJwtAuthnStats, type JwtAuthnStats } from './jwt-authn-stats.ts';
import { createJwtProvider, type JwtProvider } from './jwt-provider.ts';
import {
  AllRequirement,
  AnyRequirement,
  OptionalRequirement,
  ProviderRequirement,
  type Requirement,
} from './requirement.ts';

interface Rule {
  readonly path: PathMatcher;
  readonly condition: RouteCondition | null;
  /** Null: nothing is required. */
  readonly requirement: Requirement | null;
}

/** What a route says: nothing is required, or the requirement of this name. */
export type JwtRouteConfig = { readonly disabled: true } | { readonly disabled: false; readonly name: string };

/** What all streams of one jwt_authn filter share. */
export class JwtAuthnConfig {
  readonly stats: JwtAuthnStats;
  readonly clock: Clock;
  readonly bypassCorsPreflight: boolean;
  readonly stripFailureResponse: boolean;
  readonly #providers: ReadonlyMap<string, JwtProvider>;
  readonly #rules: readonly Rule[];
  readonly #named: ReadonlyMap<string, Requirement>;

  constructor(message: JwtAuthentication, context: ExtensionContext) {
    const { diagnostics, server } = context;
    this.stats = createJwtAuthnStats(context.scope, message.statPrefix);
    this.clock = server.clock;
    this.bypassCorsPreflight = message.bypassCorsPreflight;
    this.stripFailureResponse = message.stripFailureResponse;
    const providers = new Map<string, JwtProvider>();
    for (const [name, provider] of Object.entries(message.providers)) {
      providers.set(name, createJwtProvider(name, provider, context, this.stats));
    }
    this.#providers = providers;
    const named = new Map<string, Requirement>();
    for (const [name, requirement] of Object.entries(message.requirementMap)) {
      const made = this.#createRequirement(requirement, diagnostics.at(`requirement_map[${name}]`));
      if (made !== null) named.set(name, made);
    }
    this.#named = named;
    this.#rules = message.rules.flatMap((rule, i) => {
      const made = this.#createRule(rule, server.runtime, diagnostics.at(`rules[${i}]`));
      return made === null ? [] : [made];
    });
  }

  /** The requirement of the first rule that matches; null: none. */
  requirementFor(head: RequestHead, streamInfo: StreamInfo): Requirement | null {
    const bare = barePath(head.path);
    for (const { path, condition, requirement } of this.#rules) {
      if (path.matches(bare, head.method) && (condition === null || condition.holds(head, streamInfo, 0))) {
        return requirement;
      }
    }
    return null;
  }

  /** The requirement of this name, or why there is none. */
  requirementNamed(name: string): Requirement | string {
    return (
      this.#named.get(name) ??
      `Wrong requirement_name: ${name}. It should be one of [${[...this.#named.keys()].join(',')}]`
    );
  }

  #createRule(rule: RequirementRule, runtime: RuntimeFlags, found: Diagnostics): Rule | null {
    const { match, requirementType } = rule;
    if (match === undefined) {
      found.error('match', 'a match is needed');
      return null;
    }
    const at = found.at('match');
    const path = at.try(() => compilePathMatcher(match));
    const condition = at.try(() => compileRouteCondition(match, runtime));
    let requirement: Requirement | null = null;
    if (requirementType.case === 'requires') {
      requirement = this.#createRequirement(requirementType.value, found.at('requires'));
    } else if (requirementType.case === 'requirementName') {
      const named = this.requirementNamed(requirementType.value);
      if (typeof named === 'string') found.error('requirement_name', named);
      else requirement = named;
    }
    return path === undefined || condition === undefined ? null : { path, condition, requirement };
  }

  #createRequirement(message: JwtRequirement, found: Diagnostics): Requirement | null {
    const type = message.requiresType;
    const parts = (list: readonly JwtRequirement[], field: string): Requirement[] =>
      list.flatMap((item, i) => this.#createRequirement(item, found.at(`${field}.requirements[${i}]`)) ?? []);
    switch (type.case) {
      case 'providerName':
        return this.#createProviderRequirement(type.value, null, found, 'provider_name');
      case 'providerAndAudiences': {
        const { providerName, audiences } = type.value;
        return this.#createProviderRequirement(providerName, audiences, found, 'provider_and_audiences.provider_name');
      }
      case 'requiresAny': {
        const { requirements } = type.value;
        const optional = (kind: string): boolean => requirements.some((item) => item.requiresType.case === kind);
        const allowance = optional('allowMissingOrFailed')
          ? 'missing_or_failed'
          : optional('allowMissing')
            ? 'missing'
            : 'none';
        const required = parts(requirements, 'requires_any').filter((part) => !(part instanceof OptionalRequirement));
        if (required.length > 0 || allowance === 'none') return new AnyRequirement(required, allowance);
        return new OptionalRequirement([...this.#providers.values()], allowance === 'missing_or_failed');
      }
      case 'requiresAll':
        return new AllRequirement(parts(type.value.requirements, 'requires_all'));
      case 'allowMissing':
        return new OptionalRequirement([...this.#providers.values()], false);
      case 'allowMissingOrFailed':
        return new OptionalRequirement([...this.#providers.values()], true);
      case 'extractOnlyWithoutValidation':
        found.error('extract_only_without_validation', 'not supported yet');
        return null;
      default:
        return null;
    }
  }

  #createProviderRequirement(
    name: string,
    audiences: readonly string[] | null,
    found: Diagnostics,
    field: string,
  ): Requirement | null {
    const provider = this.#providers.get(name);
    if (provider !== undefined) return new ProviderRequirement(provider, audiences);
    found.error(field, `Required provider ['${name}'] is not configured.`);
    return null;
  }
}

/** Reads a PerRouteConfig. */
export function createJwtRouteConfig(message: PerRouteConfig): JwtRouteConfig {
  const specifier = message.requirementSpecifier;
  if (specifier.case === 'requirementName') return { disabled: false, name: specifier.value };
  return { disabled: true };
}
