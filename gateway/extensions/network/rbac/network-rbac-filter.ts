import { type NetworkFilter, type NetworkFilterCallbacks, NetworkFilterStatus } from '#gateway/api/network-filter.ts';
import type { AccessDecision, AccessEngine } from '#gateway/route/access-rules/access-engine.ts';
import type { MatchContext } from '#gateway/route/matching/match-context.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import type { Counter } from '#gateway/stats/stats.ts';

const metadataNamespace = 'envoy.filters.network.rbac';
const logNamespace = 'envoy.common';

/** What all connections of one network RBAC filter share. */
export interface NetworkRbacConfig {
  readonly engine: AccessEngine | null;
  readonly shadowEngine: AccessEngine | null;
  readonly shadowPrefix: string;
  /** Judges every piece of data, not only the first. */
  readonly continuous: boolean;
  /** Milliseconds a refused connection is kept before it is closed. */
  readonly delayDenyMs: number;
  readonly timers: Timers;
  readonly allowed: Counter;
  readonly denied: Counter;
  readonly shadowAllowed: Counter;
  readonly shadowDenied: Counter;
}

/** Lets a connection go on, or closes it, by access rules, when its first octets are there. Envoy's network rbac filter. */
export class NetworkRbacFilter implements NetworkFilter, TimerTarget {
  readonly #config: NetworkRbacConfig;
  #callbacks!: NetworkFilterCallbacks;
  #state: 'new' | 'allowed' | 'denied' = 'new';
  #shadowDone = false;
  #timer: Timer | null = null;

  constructor(config: NetworkRbacConfig) {
    this.#config = config;
  }

  initialize(callbacks: NetworkFilterCallbacks): void {
    this.#callbacks = callbacks;
  }

  onNewConnection(): NetworkFilterStatus {
    return NetworkFilterStatus.Continue;
  }

  onData(): NetworkFilterStatus {
    const config = this.#config;
    if (this.#state === 'denied') return NetworkFilterStatus.StopIteration;
    if (this.#state === 'allowed' && !config.continuous) return NetworkFilterStatus.Continue;
    const { streamInfo } = this.#callbacks;
    const context: MatchContext = { request: null, response: null, streamInfo };
    if (config.shadowEngine !== null && (config.continuous || !this.#shadowDone)) {
      this.#shadowDone = true;
      this.#noteShadow(config.shadowEngine.decide(context));
    }
    if (config.engine === null) return NetworkFilterStatus.Continue;
    const { allowed, policy, logHint } = config.engine.decide(context);
    if (logHint !== null) streamInfo.setDynamicMetadata(logNamespace, { access_log_hint: logHint });
    if (allowed) {
      this.#state = 'allowed';
      config.allowed.inc();
      return NetworkFilterStatus.Continue;
    }
    this.#deny(policy);
    return NetworkFilterStatus.StopIteration;
  }

  /** @see TimerTarget */
  onTimer(): void {
    this.#close();
  }

  #deny(policy: string): void {
    const { denied, delayDenyMs, timers } = this.#config;
    this.#state = 'denied';
    denied.inc();
    const name = policy === '' ? 'none' : policy.replace(/\s/g, '_');
    this.#callbacks.connection.info.terminationDetails = `rbac_access_denied_matched_policy[${name}]`;
    if (delayDenyMs === 0) {
      this.#close();
      return;
    }
    this.#timer = timers.create(this);
    this.#timer.enable(delayDenyMs);
  }

  #close(): void {
    const { connection } = this.#callbacks;
    if (connection.state !== 'closed') connection.close('flush', 'rbac_deny_close');
  }

  #noteShadow({ allowed, policy }: AccessDecision): void {
    const { shadowAllowed, shadowDenied, shadowPrefix } = this.#config;
    if (allowed) shadowAllowed.inc();
    else shadowDenied.inc();
    this.#callbacks.streamInfo.setDynamicMetadata(metadataNamespace, {
      ...(policy === '' ? {} : { [`${shadowPrefix}shadow_effective_policy_id`]: policy }),
      [`${shadowPrefix}shadow_engine_result`]: allowed ? 'allowed' : 'denied',
    });
  }
}
