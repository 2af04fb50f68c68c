import type { RateLimitRule, Route, VirtualHost } from '#gateway/api/route.ts';
import type { StreamInfo } from '#gateway/api/stream-info.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import type { RouteRule } from './compile-route.ts';

/** VirtualHost.TlsRequirementType by number. */
const tlsRequirements = ['none', 'external_only', 'all'] as const;
/** Whether a virtual host sends plain HTTP to HTTPS: never, for requests from outside, always. */
export type TlsRequirement = (typeof tlsRequirements)[number];

/** Reads VirtualHost.TlsRequirementType. */
export function tlsRequirement(value: number): TlsRequirement {
  return tlsRequirements[value] ?? 'none';
}

/** The facts about a virtual host that streams see. */
export class VirtualHostFacts implements VirtualHost {
  readonly name: string;
  readonly routeTableName: string;
  readonly includeRequestAttemptCount: boolean;
  readonly includeAttemptCountInResponse: boolean;
  readonly rateLimits: readonly RateLimitRule[];

  constructor(
    name: string,
    routeTableName: string,
    includeRequestAttemptCount: boolean,
    includeAttemptCountInResponse: boolean,
    rateLimits: readonly RateLimitRule[],
  ) {
    this.name = name;
    this.routeTableName = routeTableName;
    this.includeRequestAttemptCount = includeRequestAttemptCount;
    this.includeAttemptCountInResponse = includeAttemptCountInResponse;
    this.rateLimits = rateLimits;
  }
}

/** Told why each route was or was not taken: explain, configuration tests. */
export interface RouteRecorder {
  onVirtualHost(name: string | null): void;
  onRoute(index: number, name: string, taken: boolean): void;
}

/** A virtual host's routes, in order; the first that matches is taken. */
export class VirtualHostRoutes {
  readonly facts: VirtualHost;
  readonly #rules: readonly RouteRule[];
  readonly #tls: TlsRequirement;
  readonly #tlsRedirect: Route;

  constructor(facts: VirtualHost, rules: readonly RouteRule[], tls: TlsRequirement, tlsRedirect: Route) {
    this.facts = facts;
    this.#rules = rules;
    this.#tls = tls;
    this.#tlsRedirect = tlsRedirect;
  }

  /** `bare`: the path without its query. */
  select(
    bare: string,
    head: RequestHead,
    streamInfo: StreamInfo,
    random: number,
    recorder: RouteRecorder | null,
  ): Route | null {
    if (this.#tls !== 'none' && this.#needsTls(head)) return this.#tlsRedirect;
    const rules = this.#rules;
    for (let i = 0; i < rules.length; i++) {
      const rule = rules[i]!;
      const taken = rule.matches(bare, head, streamInfo, random);
      if (recorder !== null) recorder.onRoute(i, rule.name, taken);
      if (taken) return rule.choose(head, streamInfo, random);
    }
    return null;
  }

  #needsTls(head: RequestHead): boolean {
    if (head.headers.get('x-forwarded-proto') === 'https') return false;
    return this.#tls === 'all' || head.headers.get('x-envoy-internal') !== 'true';
  }
}
