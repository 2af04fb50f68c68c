import { Buffer } from 'node:buffer';
import { FilterDataStatus, FilterHeadersStatus, FilterTrailersStatus } from '#gateway/api/http-filter.ts';
import { ResponseFlag } from '#gateway/api/response-flags.ts';
import type { Cancellable } from '#gateway/api/upstream.ts';
import { PassThroughFilter } from '#gateway/http/pass-through-filter.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { CheckCallbacks, Verdict } from './authz-client.ts';
import type { AuthzCounters, BodySettings, ExtAuthzConfig, ExtAuthzRoute } from './ext-authz-config.ts';
import { changeRequest, changeResponse } from './verdict-changes.ts';

const metadataNamespace = 'envoy.filters.http.ext_authz';
const forbidden = 403;
const nothing = new Uint8Array(0);

/** Asks an authorization service about a request before it goes on. Envoy's ext_authz filter. */
export class ExtAuthzFilter extends PassThroughFilter implements CheckCallbacks {
  readonly #config: ExtAuthzConfig;
  #state: 'idle' | 'buffering' | 'calling' | 'complete' | 'responded' = 'idle';
  /** True while the call is being made: an answer that comes within it does not need `continueDecoding`. */
  #initiating = false;
  #call: Cancellable | null = null;
  #head: RequestHead | null = null;
  #body: BodySettings | null = null;
  #startMs = 0;
  #allowed: Verdict | null = null;

  constructor(config: ExtAuthzConfig) {
    super();
    this.#config = config;
  }

  override decodeHeaders(head: RequestHead, endStream: boolean): FilterHeadersStatus {
    const config = this.#config;
    const callbacks = this.callbacks;
    const route = callbacks.routeConfig() as ExtAuthzRoute | null;
    if (route?.disabled === true) return FilterHeadersStatus.Continue;
    if (!config.enabled(callbacks.streamInfo.dynamicMetadata)) {
      config.disabled.inc();
      if (!config.denyAtDisable) return FilterHeadersStatus.Continue;
      this.#answer(config.statusOnError, '', [], 'ext_authz_error');
      return FilterHeadersStatus.StopIteration;
    }
    this.#head = head;
    const body = route?.noBody === true ? null : (route?.body ?? config.body);
    if (body !== null && !endStream && !head.headers.has('upgrade')) {
      this.#body = body;
      this.#state = 'buffering';
      if (!body.allowPartial) callbacks.setDecoderBufferLimit(body.maxOctets);
      return FilterHeadersStatus.StopIteration;
    }
    this.#ask(null, false);
    if (this.#calling) return FilterHeadersStatus.StopAllIterationAndWatermark;
    return this.#responded ? FilterHeadersStatus.StopIteration : FilterHeadersStatus.Continue;
  }

  override decodeData(chunk: Uint8Array, endStream: boolean): FilterDataStatus {
    if (this.#calling) return FilterDataStatus.StopIterationAndWatermark;
    if (this.#state !== 'buffering') return FilterDataStatus.Continue;
    const { maxOctets, allowPartial } = this.#body!;
    const octets = (this.callbacks.decodingBuffer()?.length ?? 0) + chunk.length;
    // Above the limit keeping the chunk makes the stream answer 413.
    if (allowPartial ? !endStream && octets < maxOctets : !endStream || octets > maxOctets)
      return FilterDataStatus.StopIterationAndBuffer;
    this.#ask(this.#bodyWith(chunk), octets > maxOctets || !endStream);
    if (this.#calling) return FilterDataStatus.StopIterationAndWatermark;
    return this.#responded ? FilterDataStatus.StopIterationNoBuffer : FilterDataStatus.Continue;
  }

  override decodeTrailers(): FilterTrailersStatus {
    if (this.#state === 'buffering') this.#ask(this.#bodyWith(nothing), false);
    const stops = this.#calling || this.#responded;
    return stops ? FilterTrailersStatus.StopIteration : FilterTrailersStatus.Continue;
  }

  override encodeHeaders(head: ResponseHead): FilterHeadersStatus {
    if (this.#allowed !== null) changeResponse(head, this.#allowed);
    return FilterHeadersStatus.Continue;
  }

  override onDestroy(): void {
    if (this.#state !== 'calling') return;
    this.#state = 'complete';
    this.#call?.cancel();
    this.#call = null;
  }

  /** @see CheckCallbacks */
  onVerdict(verdict: Verdict): void {
    if (this.#state !== 'calling') return;
    this.#state = 'complete';
    this.#call = null;
    if (verdict.kind === 'error') {
      this.#onError(verdict);
      return;
    }
    this.#takeMetadata(verdict);
    if (verdict.kind === 'ok') this.#onAllowed(verdict);
    else this.#onDenied(verdict);
  }

  get #calling(): boolean {
    return this.#state === 'calling';
  }

  get #responded(): boolean {
    return this.#state === 'responded';
  }

  #ask(body: Uint8Array | null, partial: boolean): void {
    const callbacks = this.callbacks;
    let contextExtensions: { readonly [key: string]: string } = {};
    for (const route of callbacks.allRouteConfigs() as readonly ExtAuthzRoute[])
      contextExtensions = { ...contextExtensions, ...route.contextExtensions };
    this.#state = 'calling';
    this.#initiating = true;
    this.#startMs = this.#config.clock.nowMs();
    const { streamInfo } = callbacks;
    const input = { head: this.#head!, streamInfo, body, partial, contextExtensions };
    const call = this.#config.client!.check(input, this);
    if (this.#state === 'calling') this.#call = call;
    this.#initiating = false;
  }

  #bodyWith(chunk: Uint8Array): Uint8Array {
    const held = this.callbacks.decodingBuffer()?.concat() ?? nothing;
    return Buffer.concat([held, chunk]).subarray(0, this.#body!.maxOctets);
  }

  #takeMetadata({ kind, metadata }: Verdict): void {
    const config = this.#config;
    if (metadata === null) return;
    if (!config.takesMetadata) {
      config.ignoredMetadata.inc();
      return;
    }
    const values = { ...metadata };
    if (kind === 'ok') values['ext_authz_duration'] = Math.floor(config.clock.nowMs() - this.#startMs);
    this.callbacks.streamInfo.setDynamicMetadata(metadataNamespace, values);
  }

  #onAllowed(verdict: Verdict): void {
    this.#count('ok');
    const changed = changeRequest(this.#head!, verdict);
    if (changed && this.#config.clearRouteCache) this.callbacks.clearRouteCache();
    this.#allowed = verdict;
    this.#goOn();
  }

  #onDenied({ status, body, clientHeaders }: Verdict): void {
    this.#count('denied');
    const answered = status === 0 ? forbidden : status;
    const cluster = this.callbacks.clusterInfo;
    if (cluster !== null && this.#config.chargeCluster) cluster.stats.chargeResponse(answered, true, false, '');
    this.#answer(answered, body, clientHeaders, 'ext_authz_denied');
  }

  #onError({ status, body, clientHeaders }: Verdict): void {
    const config = this.#config;
    this.#count('error');
    if (config.failureModeAllow) {
      this.#count('failureModeAllowed');
      if (config.failureModeHeader) this.#head!.headers.set('x-envoy-auth-failure-mode-allowed', 'true');
      this.#goOn();
      return;
    }
    this.#answer(status === 0 ? config.statusOnError : status, body, clientHeaders, 'ext_authz_error');
  }

  #answer(status: number, body: string | Uint8Array, clientHeaders: readonly string[], details: string): void {
    this.#state = 'responded';
    this.callbacks.streamInfo.setFlag(ResponseFlag.UnauthorizedExternalService);
    this.callbacks.sendLocalReply(status, body, details, {
      modifyHeaders({ headers }) {
        // The service's headers replace what is there, and may be repeated.
        for (let i = 0; i < clientHeaders.length; i += 2) headers.remove(clientHeaders[i]!);
        for (let i = 0; i < clientHeaders.length; i += 2) headers.add(clientHeaders[i]!, clientHeaders[i + 1]!);
      },
    });
  }

  #count(what: keyof AuthzCounters): void {
    this.#config.counters[what].inc();
    const cluster = this.callbacks.clusterInfo;
    if (cluster !== null) this.#config.countersOf(cluster.stats.scope)[what].inc();
  }

  #goOn(): void {
    if (!this.#initiating) this.callbacks.continueDecoding();
  }
}
