import { createHash } from 'node:crypto';
import type { Message } from '@bufbuild/protobuf';
import { JitteredBackoff } from '#gateway/base/jittered-backoff.ts';
import { createMessage, decodeMessage, encodeMessage, typeUrlOf } from '#gateway/proto/registry.ts';
import { GrpcStatus } from '#gateway/protocol/grpc/status.ts';
import type { Timer } from '#gateway/runtime/timers.ts';
import type { DiscoveryRequest, DiscoveryResponse } from '#proto-types/envoy/service/discovery/v3/discovery_pb.ts';
import type { Status } from '#proto-types/google/rpc/status_pb.ts';
import type { XdsMuxOptions } from './mux-options.ts';
import { readResource, resourceProblem } from './read-resource.ts';
import { Verdicts } from './verdicts.ts';
import { WatchList } from './watch-list.ts';
import { XdsStream, type XdsStreamOwner } from './xds-stream.ts';
import type { XdsMux, XdsType, XdsWatch } from './xds-watch.ts';

/** Waits before a refusal is repeated: some servers answer a NACK with what was refused, at once and for ever. */
const baseRepeatMs = 500;
const maxRepeatMs = 30_000;

/** State of one type of resource. */
class TypeState {
  readonly type: XdsType;
  readonly watches = new WatchList();
  /** What each name holds, for those who come to want it later. */
  readonly held = new Map<string, { readonly message: Message; readonly version: string }>();
  /** Version of the last response that was accepted; survives the stream. */
  version = '';
  /** Nonce of the last response of this stream. */
  nonce = '';
  /** Digest of the last response's resources when they were refused, else ''. */
  refused = '';
  readonly repeat: JitteredBackoff;
  readonly repeatTimer: Timer;
  /** The refusal that waits for `repeatTimer`. */
  problem = '';

  constructor(type: XdsType, options: XdsMuxOptions, repeat: (state: TypeState) => void) {
    this.type = type;
    this.repeat = new JitteredBackoff(baseRepeatMs, maxRepeatMs, options.server.random);
    this.repeatTimer = options.server.timers.create({ onTimer: () => repeat(this) });
  }
}

/**
 * State of the world: each request carries all names of its type and the version that is in force, each response all of what
 * it has. A response is acknowledged as a whole, but judged resource by resource: a bad one does not hold up the others.
 */
export class SotwMux implements XdsMux, XdsStreamOwner {
  readonly #options: XdsMuxOptions;
  readonly #stream: XdsStream;
  readonly #types = new Map<string, TypeState>();
  #nodeSent = false;
  /** Streams so far: answers to an earlier one are not given to a later one. */
  #streams = 0;

  constructor(options: XdsMuxOptions) {
    this.#options = options;
    this.#stream = new XdsStream(options.target, options.server, options.stats, this);
  }

  watch(type: XdsType, watch: XdsWatch): void {
    let state = this.#types.get(type.typeName);
    if (state === undefined) {
      state = new TypeState(type, this.#options, (repeated) => this.#request(repeated, repeated.problem));
      this.#types.set(type.typeName, state);
    }
    const isNew = state.watches.add(watch);
    if (!this.#stream.isOpen) this.#stream.open();
    else if (isNew) this.#request(state, '');
    const held = isNew ? undefined : state.held.get(watch.name);
    if (held !== undefined) watch.onResource(held.message, held.version, () => {});
  }

  unwatch(type: XdsType, watch: XdsWatch): void {
    const state = this.#types.get(type.typeName);
    if (state === undefined || !state.watches.remove(watch)) return;
    state.held.delete(watch.name);
    if (this.#stream.isOpen) this.#request(state, '');
  }

  close(): void {
    for (const state of this.#types.values()) state.repeatTimer.disable();
    this.#stream.close();
  }

  /** @see XdsStreamOwner */
  onStreamOpen(): void {
    this.#nodeSent = false;
    this.#streams++;
    for (const state of this.#types.values()) {
      state.nonce = '';
      state.repeatTimer.disable();
      if (!state.watches.empty) this.#request(state, '');
    }
  }

  /** @see XdsStreamOwner */
  onStreamFailure(why: string): void {
    for (const state of this.#types.values()) {
      state.repeatTimer.disable();
      for (const watch of state.watches.all()) watch.onConnectionFailure(why);
    }
  }

  /** @see XdsStreamOwner */
  onStreamMessage(octets: Uint8Array): boolean {
    let response: DiscoveryResponse;
    try {
      response = decodeMessage<DiscoveryResponse>('envoy.service.discovery.v3.DiscoveryResponse', octets);
    } catch {
      return false;
    }
    const typeName = response.typeUrl.slice(response.typeUrl.lastIndexOf('/') + 1);
    const state = this.#types.get(typeName);
    if (state === undefined) return true; // of a type that nobody asked for, as Envoy has it
    if (response.controlPlane !== undefined) this.#options.stats.identifier.value = response.controlPlane.identifier;
    state.nonce = response.nonce;
    state.repeatTimer.disable();
    const streams = this.#streams;
    this.#take(
      state,
      response,
      new Verdicts((problem) => {
        if (problem === '') this.#accept(state, response);
        else state.problem = problem;
        // A newer response, or another stream, has nothing to do with this nonce.
        if (streams !== this.#streams || state.nonce !== response.nonce) return;
        if (problem === '') this.#request(state, '');
        else this.#refuse(state, response, problem);
      }),
    );
    return true;
  }

  #accept(state: TypeState, response: DiscoveryResponse): void {
    state.version = response.versionInfo;
    state.refused = '';
    state.repeat.reset();
  }

  /** Hands out the resources. */
  #take(state: TypeState, { resources, versionInfo }: DiscoveryResponse, verdicts: Verdicts): void {
    const wanted: { readonly message: Message; readonly name: string }[] = [];
    for (const any of resources) {
      const found = readResource(any, state.type.typeName);
      if (!found.read) {
        for (const watch of state.watches.all()) watch.onRejected(found.problem);
        verdicts.add(found.problem);
        verdicts.done();
        return;
      }
      const { message } = found;
      if (message !== null) wanted.push({ message, name: found.name || state.type.nameOf(message) });
    }
    for (const { message, name } of wanted) {
      const watches = state.watches.of(name);
      const problem = watches.length === 0 ? '' : resourceProblem(message);
      verdicts.add(problem);
      for (const watch of watches) {
        if (problem !== '') {
          watch.onRejected(problem);
          continue;
        }
        const told = verdicts.expect();
        watch.onResource(message, versionInfo, (refused) => {
          if (refused === '') state.held.set(name, { message, version: versionInfo });
          told(refused);
        });
      }
    }
    verdicts.done();
  }

  #refuse(state: TypeState, response: DiscoveryResponse, problem: string): void {
    const digest = digestOf(response);
    const repeated = digest === state.refused;
    state.refused = digest;
    if (repeated) state.repeatTimer.enable(state.repeat.nextMs());
    else this.#request(state, problem);
  }

  #request(state: TypeState, problem: string): void {
    const { node, nodeOnFirstOnly } = this.#options;
    const request = createMessage<DiscoveryRequest>('envoy.service.discovery.v3.DiscoveryRequest', {
      versionInfo: state.version,
      resourceNames: state.watches.names,
      typeUrl: typeUrlOf(state.type.typeName),
      responseNonce: state.nonce,
    });
    if (!this.#nodeSent || !nodeOnFirstOnly) request.node = node();
    this.#nodeSent = true;
    if (problem !== '') {
      const code = GrpcStatus.InvalidArgument;
      request.errorDetail = createMessage<Status>('google.rpc.Status', { code, message: problem });
    }
    this.#stream.send(encodeMessage(request));
  }
}

function digestOf({ versionInfo, resources }: DiscoveryResponse): string {
  const hash = createHash('sha256').update(`${versionInfo.length}:${versionInfo}`);
  for (const { value } of resources) hash.update(`${value.length}:`).update(value);
  return hash.digest('base64');
}
