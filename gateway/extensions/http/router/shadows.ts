import type { DecoderFilterCallbacks } from '#gateway/api/http-filter.ts';
import type { MirrorPolicy } from '#gateway/api/route.ts';
import { fractionTakes } from '#gateway/config/fraction.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import { serverNameOf } from './choose-pool.ts';
import type { RouterConfig } from './router-config.ts';
import { ShadowRequest, type ShadowWatermarks } from './shadow-request.ts';

/** What the copies need of the router. */
export interface MirroringRouter {
  readonly config: RouterConfig;
  readonly callbacks: DecoderFilterCallbacks;
}

/** The copies of one request that go to other clusters: Envoy's request mirroring (shadowing). */
export class Shadows implements ShadowWatermarks {
  readonly #router: MirroringRouter;
  readonly #policies: readonly MirrorPolicy[];
  readonly #head: RequestHead;
  readonly #timeoutMs: number;
  readonly #requests: ShadowRequest[] = [];

  /** Draws which policies apply and keeps the head as it is now. `timeoutMs` is the route's. */
  constructor(router: MirroringRouter, policies: readonly MirrorPolicy[], head: RequestHead, timeoutMs: number) {
    const { runtime, random } = router.config;
    this.#router = router;
    this.#policies = policies.filter((policy) => fractionTakes(policy, runtime, random));
    this.#head = this.#policies.length === 0 ? head : head.clone();
    this.#timeoutMs = timeoutMs;
  }

  start(endStream: boolean): void {
    for (const policy of this.#policies) this.#startOne(policy, endStream);
  }

  sendData(chunk: Uint8Array, endStream: boolean): void {
    for (const request of this.#requests) request.sendData(chunk, endStream);
  }

  sendTrailers(trailers: HeaderMap): void {
    for (const request of this.#requests) request.sendTrailers(trailers);
  }

  /** The stream is gone: copies of an incomplete request are given up, the others go on. */
  cancel(): void {
    for (const request of this.#requests) request.cancel();
  }

  onShadowAboveHighWatermark(): void {
    this.#router.callbacks.onDecoderFilterAboveWriteBufferHighWatermark();
  }

  onShadowBelowLowWatermark(): void {
    this.#router.callbacks.onDecoderFilterBelowWriteBufferLowWatermark();
  }

  #startOne(policy: MirrorPolicy, endStream: boolean): void {
    const { config, callbacks } = this.#router;
    const head = this.#head;
    const name = policy.cluster !== '' ? policy.cluster : head.headers.get(policy.clusterHeader);
    const cluster = name === null ? null : config.clusters.get(name);
    if (cluster === null) return;
    config.mirrored.inc();
    const host = cluster.chooseHost(null);
    const { info } = cluster;
    if (host === null) {
      info.stats.noRoutableHosts.inc();
      info.stats.chargeResponse(503, true, false, '');
      return;
    }
    const copy = mirrorHead(head, policy, config, this.#timeoutMs);
    const serverName = info.autoSniHeader === null ? '' : serverNameOf(copy, info.autoSniHeader);
    const pool = cluster.httpPool(host, 'default', callbacks.streamInfo.protocol, serverName);
    const request = new ShadowRequest(copy, pool, {
      clock: config.clock,
      timers: config.timers,
      timeoutMs: this.#timeoutMs,
      bufferLimitOctets: callbacks.decoderBufferLimit(),
      watermarks: this,
    });
    this.#requests.push(request);
    request.start(pool, endStream);
  }
}

// What Envoy's asynchronous client does to a request, and the host by which logs tell the copy.
function mirrorHead(head: RequestHead, policy: MirrorPolicy, config: RouterConfig, timeoutMs: number): RequestHead {
  const headers = head.headers.clone();
  if (timeoutMs > 0 && !config.suppressEnvoyHeaders) {
    headers.set('x-envoy-expected-rq-timeout-ms', String(Math.floor(timeoutMs)));
  }
  headers.set('x-envoy-internal', 'true');
  const forwarded = headers.get('x-forwarded-for');
  headers.set('x-forwarded-for', forwarded === null ? config.localAddress : `${forwarded},${config.localAddress}`);
  let authority = policy.hostRewrite === '' ? head.authority : policy.hostRewrite;
  if (!policy.keepHost && policy.hostRewrite === '') authority = withShadowSuffix(authority);
  return new RequestHead(head.method, head.path, authority, head.scheme, headers);
}

function withShadowSuffix(authority: string): string {
  const colon = authority.indexOf(':');
  return colon === -1 ? `${authority}-shadow` : `${authority.slice(0, colon)}-shadow${authority.slice(colon)}`;
}
