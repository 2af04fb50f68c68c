import type { RuntimeFlags } from '#gateway/api/context.ts';
import { FilterHeadersStatus } from '#gateway/api/http-filter.ts';
import { type Fraction, fractionTakes } from '#gateway/config/fraction.ts';
import type { StringPredicate } from '#gateway/config/matcher/string-matcher.ts';
import { PassThroughDecoderFilter } from '#gateway/http/pass-through-filter.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Counter } from '#gateway/stats/stats.ts';

const changing: readonly string[] = ['POST', 'PUT', 'DELETE', 'PATCH'];
const absoluteUrl = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@]*@)?([^/?#]+)/i;

/** A compiled CsrfPolicy. */
export interface CsrfPolicy {
  readonly enabled: Fraction | null;
  readonly shadow: Fraction | null;
  readonly additionalOrigins: readonly StringPredicate[];
}

/** What all streams of one csrf filter share. */
export interface CsrfConfig {
  readonly policy: CsrfPolicy;
  readonly runtime: RuntimeFlags;
  readonly random: Random;
  readonly missing: Counter;
  readonly invalid: Counter;
  readonly valid: Counter;
}

/** Refuses changes that another site's page asks for, by Origin or Referer. Envoy's csrf filter. */
export class CsrfFilter extends PassThroughDecoderFilter {
  readonly #config: CsrfConfig;

  constructor(config: CsrfConfig) {
    super();
    this.#config = config;
  }

  override decodeHeaders(head: RequestHead): FilterHeadersStatus {
    const config = this.#config;
    const policy = (this.callbacks.routeConfig() as CsrfPolicy | null) ?? config.policy;
    const enforced = this.#draw(policy.enabled);
    if (!enforced && !this.#draw(policy.shadow)) return FilterHeadersStatus.Continue;
    if (!changing.includes(head.method)) return FilterHeadersStatus.Continue;
    const origin = sourceOrigin(head);
    if (origin === '') {
      config.missing.inc();
    } else if (origin === hostAndPort(head.authority) || policy.additionalOrigins.some((one) => one.matches(origin))) {
      config.valid.inc();
      return FilterHeadersStatus.Continue;
    } else {
      config.invalid.inc();
    }
    if (!enforced) return FilterHeadersStatus.Continue;
    this.callbacks.sendLocalReply(403, 'Invalid origin', 'csrf_origin_mismatch');
    return FilterHeadersStatus.StopIteration;
  }

  #draw(of: Fraction | null): boolean {
    const { runtime, random } = this.#config;
    return of !== null && fractionTakes(of, runtime, random);
  }
}

/** Host and port of Origin, or else of Referer; '' when neither tells. */
function sourceOrigin({ headers }: RequestHead): string {
  const origin = headers.get('origin');
  if (origin !== null && origin !== 'null' && origin !== '') return hostAndPort(origin);
  return hostAndPort(headers.get('referer') ?? '');
}

function hostAndPort(text: string): string {
  return absoluteUrl.exec(text)?.[1] ?? text;
}
