import type { JsonObject } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import type { Logger } from '#gateway/base/log.ts';
import { createMessage, decodeMessage, encodeMessage } from '#gateway/proto/registry.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import type { DiscoveryRequest, DiscoveryResponse } from '#proto-types/envoy/service/discovery/v3/discovery_pb.ts';
import type { XdsSettings } from '../config/settings-xds.ts';
import type { StatSource } from '../stats/stat-source.ts';
import { AdsStream, type AdsStreamCallbacks, type GrpcModule } from './ads-stream.ts';
import type { ReconnectBackoff } from './reconnect-backoff.ts';

const typeUrl = 'type.googleapis.com/ratelimit.config.ratelimit.v3.RateLimitConfig';

/** So many refusals in a row are told at once. A bad set takes two, see {@link AdsClient}. */
const promptRefusals = 6;

/** The next one waits this long, each further one twice as long, up to the longest. Milliseconds. */
const firstRefusalPauseMs = 100;
const longestRefusalPauseMs = 5000;

/** What comes this long after a refusal is no answer to it: the row has ended. Milliseconds. */
const rowEndMs = 1000;

/** A refusal as it is told. */
interface Refusal {
  readonly version: string;
  readonly nonce: string;
  readonly problem: string;
}

/** Judges one full set of resources: null accepts it, a text refuses it with that reason. */
export type ResourceJudge = (resources: readonly Any[]) => string | null;

/**
 * State-of-the-world subscription to every RateLimitConfig of an aggregated stream. Each response is accepted, with its
 * version and nonce, or refused, with the version that is in force, its nonce and the reason. A stream that ends is opened
 * again after a pause, with the version in force and, unlike in the reference, without a nonce: nonces belong to a stream.
 *
 * Some servers (go-control-plane) know only the version that a request names: they answer a refusal with what was refused,
 * and tell nothing new before they are asked again. When a set comes once more, its refusal names its own version: then they
 * wait for another one, and send it as soon as there is one. To those who go on all the same, refusals in a row are told at
 * growing intervals.
 */
export class AdsClient implements AdsStreamCallbacks, TimerTarget, StatSource {
  readonly #grpc: GrpcModule;
  readonly #settings: XdsSettings;
  readonly #backoff: ReconnectBackoff;
  readonly #judge: ResourceJudge;
  readonly #log: Logger;
  readonly #timer: Timer;
  readonly #refusalTimer: Timer;
  readonly #rowEnd: Timer;
  readonly #node: DiscoveryRequest['node'];
  #stream: AdsStream | null = null;
  /** Of the last response that was accepted. */
  #version = '';
  /** What is to be told when the refusal timer goes off. */
  #refusal: Refusal | null = null;
  /** Of the set that was refused last on this stream; null when the last one was good. */
  #refusedVersion: string | null = null;
  #refusalsInRow = 0;
  #refusalPauseMs = 0;
  #closed = false;
  /** Responses on the stream that is open. */
  #responses = 0;
  #streams = 0;
  #refused = 0;

  constructor(
    grpc: GrpcModule,
    settings: XdsSettings,
    backoff: ReconnectBackoff,
    world: { readonly timers: Timers; readonly log: Logger },
    judge: ResourceJudge,
  ) {
    this.#grpc = grpc;
    this.#settings = settings;
    this.#backoff = backoff;
    this.#judge = judge;
    this.#log = world.log;
    this.#timer = world.timers.create(this);
    this.#refusalTimer = world.timers.create(this);
    this.#rowEnd = world.timers.create(this);
    this.#node = nodeOf(settings);
  }

  /** Opens the stream. */
  start(): void {
    if (this.#closed) return;
    this.#responses = 0;
    this.#streams++;
    this.#log.info(`Dialing xDS Management Server: '${this.#settings.CONFIG_GRPC_XDS_SERVER_URL}'`);
    try {
      this.#stream = new AdsStream(this.#grpc, this.#settings, this);
    } catch (error) {
      this.#log.error(`Error initializing gRPC connection to xDS Management Server: ${(error as Error).message}`);
      this.#retry();
      return;
    }
    this.#send(this.#version, '', '');
  }

  onTimer(timer: Timer): void {
    if (timer === this.#timer) this.start();
    else if (timer === this.#refusalTimer) this.#sendRefusal();
    else this.#endRow();
  }

  onMessage(message: Uint8Array): void {
    let response: DiscoveryResponse;
    try {
      response = decodeMessage<DiscoveryResponse>('envoy.service.discovery.v3.DiscoveryResponse', message);
    } catch (error) {
      // Without its nonce it cannot even be refused.
      this.#stream?.close();
      this.onClosed(`a response that cannot be read: ${(error as Error).message}`);
      return;
    }
    this.#backoff.reset();
    this.#rowEnd.disable();
    this.#responses++;
    const problem = this.#judge(response.resources);
    if (problem !== null) {
      this.#refuse(response, problem);
      return;
    }
    // A server that did not wait for the refusal of the set before needs it no more.
    this.#dropRefusal();
    this.#endRow();
    this.#version = response.versionInfo;
    this.#send(this.#version, response.nonce, '');
  }

  onClosed(reason: string): void {
    this.#log.error(`Failed to receive configuration from xDS Management Server: ${reason}`);
    this.#retry();
  }

  *counters(): Generator<readonly [name: string, value: number]> {
    yield ['ratelimit.xds.streams', this.#streams];
    yield ['ratelimit.xds.refused', this.#refused];
  }

  /** Whether there is a stream on which the server has answered. */
  *gauges(): Generator<readonly [name: string, value: number]> {
    yield ['ratelimit.xds.connected', this.#stream !== null && this.#responses > 0 ? 1 : 0];
  }

  /** Ends the stream for good. */
  close(): void {
    this.#closed = true;
    this.#timer.disable();
    this.#rowEnd.disable();
    this.#dropRefusal();
    this.#stream?.close();
  }

  #refuse({ versionInfo, nonce }: DiscoveryResponse, problem: string): void {
    this.#refused++;
    const again = versionInfo === this.#refusedVersion;
    this.#refusedVersion = versionInfo;
    this.#refusal = { version: again ? versionInfo : this.#version, nonce, problem };
    if (++this.#refusalsInRow <= promptRefusals) {
      this.#sendRefusal();
      return;
    }
    this.#refusalPauseMs = Math.min(longestRefusalPauseMs, Math.max(firstRefusalPauseMs, 2 * this.#refusalPauseMs));
    this.#refusalTimer.enable(this.#refusalPauseMs);
  }

  #sendRefusal(): void {
    if (this.#refusal === null) return;
    const { version, nonce, problem } = this.#refusal;
    this.#send(version, nonce, problem);
    this.#refusal = null;
    this.#rowEnd.enable(rowEndMs);
  }

  #dropRefusal(): void {
    this.#refusal = null;
    this.#refusedVersion = null;
    this.#refusalTimer.disable();
  }

  #endRow(): void {
    this.#refusalsInRow = 0;
    this.#refusalPauseMs = 0;
  }

  #retry(): void {
    this.#stream = null;
    this.#rowEnd.disable();
    this.#dropRefusal();
    if (this.#closed) return;
    const pauseMs = this.#backoff.nextMs();
    if (this.#log.debugOn) this.#log.debug(`xDS: the next attempt is in ${Math.round(pauseMs)} ms`);
    this.#timer.enable(pauseMs);
  }

  #send(versionInfo: string, responseNonce: string, problem: string): void {
    const request = createMessage<DiscoveryRequest>('envoy.service.discovery.v3.DiscoveryRequest', {
      versionInfo,
      typeUrl,
      responseNonce,
      ...(this.#node === undefined ? {} : { node: this.#node }),
      ...(problem === '' ? {} : { errorDetail: { code: 0, message: problem } }),
    });
    this.#stream?.send(encodeMessage(request));
  }
}

/** CONFIG_GRPC_XDS_NODE_ID and _METADATA; a part of the latter without `=` means nothing, as in the reference. */
function nodeOf(settings: XdsSettings): DiscoveryRequest['node'] {
  const metadata: JsonObject = {};
  for (const pair of settings.CONFIG_GRPC_XDS_NODE_METADATA.split(',')) {
    const equals = pair.indexOf('=');
    if (equals !== -1) metadata[pair.slice(0, equals)] = pair.slice(equals + 1);
  }
  const request = createMessage<DiscoveryRequest>('envoy.service.discovery.v3.DiscoveryRequest', {
    node: { id: settings.CONFIG_GRPC_XDS_NODE_ID, metadata },
  });
  return request.node;
}
