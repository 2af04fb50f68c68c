import type { RuntimeFlags } from '#gateway/api/context.ts';
import { fractionTakes } from '#gateway/config/fraction.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { CorsPolicy } from './cors-policy.ts';

/** What a stream's policies say together: each question is answered by the most specific policy that says something. */
export class EffectiveCorsPolicy {
  /** Least specific first, never empty. */
  readonly #policies: readonly CorsPolicy[];

  constructor(policies: readonly CorsPolicy[]) {
    this.#policies = policies;
  }

  /** Whether the policy governs this request. The most specific policy alone decides, by its default if need be. */
  enabled(runtime: RuntimeFlags, random: Random): boolean {
    return fractionTakes(this.#policies.at(-1)!.enabled, runtime, random);
  }

  /** Whether this request is judged and counted though the policy does not govern it. */
  shadowed(runtime: RuntimeFlags, random: Random): boolean {
    const { shadow } = this.#policies.at(-1)!;
    return shadow !== null && fractionTakes(shadow, runtime, random);
  }

  /** Whether pages of `origin` may use the answer. A matcher that accepts `*` accepts every origin. */
  allowsOrigin(origin: string): boolean {
    const policies = this.#policies;
    for (let i = policies.length - 1; i >= 0; i--) {
      const { allowOrigins } = policies[i]!;
      if (allowOrigins.length > 0) return allowOrigins.some((one) => one.matches('*') || one.matches(origin));
    }
    return false;
  }

  /** The first text that is not empty, or ''. */
  text(field: 'allowMethods' | 'allowHeaders' | 'exposeHeaders' | 'maxAge'): string {
    const policies = this.#policies;
    for (let i = policies.length - 1; i >= 0; i--) if (policies[i]![field] !== '') return policies[i]![field];
    return '';
  }

  /** The first flag that is set, or `fallback`. */
  flag(field: 'allowCredentials' | 'allowPrivateNetwork' | 'forwardNotMatchingPreflights', fallback: boolean): boolean {
    const policies = this.#policies;
    for (let i = policies.length - 1; i >= 0; i--) {
      const said = policies[i]![field];
      if (said !== null) return said;
    }
    return fallback;
  }
}
