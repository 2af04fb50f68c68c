import type { Message } from '@bufbuild/protobuf';
import { createMessage, decodeMessage, encodeMessage, typeNameOf, typeUrlOf } from '#gateway/proto/registry.ts';
import { GrpcStatus } from '#gateway/protocol/grpc/status.ts';
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  Resource,
} from '#proto-types/envoy/service/discovery/v3/discovery_pb.ts';
import type { Status } from '#proto-types/google/rpc/status_pb.ts';
import type { XdsMuxOptions } from './mux-options.ts';
import { readResource, resourceProblem } from './read-resource.ts';
import { Verdicts } from './verdicts.ts';
import { WatchList } from './watch-list.ts';
import { XdsStream, type XdsStreamOwner } from './xds-stream.ts';
import type { XdsMux, XdsType, XdsWatch } from './xds-watch.ts';

/** A resource that is in force. */
interface Held {
  readonly message: Message;
  /** Its own version: what a new stream tells the server. */
  readonly version: string;
  readonly responseVersion: string;
}

/** State of one type of resource. */
interface TypeState {
  readonly type: XdsType;
  readonly watches: WatchList;
  readonly held: Map<string, Held>;
}

/**
 * Incremental xDS: requests name what is wanted or no longer wanted, responses hold what changed. A new stream begins with
 * all that is wanted and the versions that are held, so that nothing is sent twice.
 */
export class DeltaMux implements XdsMux, XdsStreamOwner {
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
      state = { type, watches: new WatchList(), held: new Map() };
      this.#types.set(type.typeName, state);
    }
    const isNew = state.watches.add(watch);
    if (!this.#stream.isOpen) this.#stream.open();
    else if (isNew) this.#request(state, { resourceNamesSubscribe: [watch.name] });
    const held = isNew ? undefined : state.held.get(watch.name);
    if (held !== undefined) watch.onResource(held.message, held.responseVersion, () => {});
  }

  unwatch(type: XdsType, watch: XdsWatch): void {
    const state = this.#types.get(type.typeName);
    if (state === undefined || !state.watches.remove(watch)) return;
    state.held.delete(watch.name);
    if (this.#stream.isOpen) this.#request(state, { resourceNamesUnsubscribe: [watch.name] });
  }

  close(): void {
    this.#stream.close();
  }

  /** @see XdsStreamOwner */
  onStreamOpen(): void {
    this.#nodeSent = false;
    this.#streams++;
    for (const state of this.#types.values()) {
      if (state.watches.empty) continue;
      const versions = [...state.held].map(([name, { version }]) => [name, version] as const);
      this.#request(state, {
        resourceNamesSubscribe: state.watches.names,
        initialResourceVersions: Object.fromEntries(versions),
      });
    }
  }

  /** @see XdsStreamOwner */
  onStreamFailure(why: string): void {
    for (const state of this.#types.values()) {
      for (const watch of state.watches.all()) watch.onConnectionFailure(why);
    }
  }

  /** @see XdsStreamOwner */
  onStreamMessage(octets: Uint8Array): boolean {
    let response: DeltaDiscoveryResponse;
    try {
      response = decodeMessage<DeltaDiscoveryResponse>('envoy.service.discovery.v3.DeltaDiscoveryResponse', octets);
    } catch {
      return false;
    }
    const state = this.#types.get(typeNameOf(response));
    if (state === undefined) return true; // of a type that nobody asked for
    if (response.controlPlane !== undefined) this.#options.stats.identifier.value = response.controlPlane.identifier;
    const streams = this.#streams;
    this.#take(
      state,
      response,
      new Verdicts((problem) => {
        if (streams === this.#streams) this.#answer(state, response.nonce, problem);
      }),
    );
    return true;
  }

  #answer(state: TypeState, responseNonce: string, problem: string): void {
    const refusal = problem === '' ? null : { code: GrpcStatus.InvalidArgument, message: problem };
    this.#request(state, {
      responseNonce,
      ...(refusal === null ? {} : { errorDetail: createMessage<Status>('google.rpc.Status', refusal) }),
    });
  }

  #take(state: TypeState, response: DeltaDiscoveryResponse, verdicts: Verdicts): void {
    const { resources, removedResources, systemVersionInfo } = response;
    const seen = new Set<string>();
    for (const { name } of resources) {
      if (seen.has(name)) {
        const problem = `duplicate name ${name} found among added/updated resources`;
        for (const watch of state.watches.all()) watch.onRejected(problem);
        verdicts.add(problem);
        verdicts.done();
        return;
      }
      seen.add(name);
    }
    for (const resource of resources) {
      // One without content says that what is known still stands: a heartbeat.
      if (resource.resource !== undefined) this.#takeOne(state, resource, systemVersionInfo, verdicts);
    }
    for (const name of removedResources) {
      state.held.delete(name);
      for (const watch of state.watches.of(name)) watch.onRemoved(systemVersionInfo);
    }
    verdicts.done();
  }

  #takeOne(state: TypeState, { name, version, resource }: Resource, responseVersion: string, verdicts: Verdicts): void {
    const watches = state.watches.of(name);
    if (watches.length === 0) return;
    const found = readResource(resource, state.type.typeName);
    if (found.read && found.message === null) return;
    const message = found.read ? found.message : null;
    const problem = found.read ? resourceProblem(found.message!) : found.problem;
    verdicts.add(problem);
    for (const watch of watches) {
      if (message === null || problem !== '') {
        watch.onRejected(problem);
        continue;
      }
      const told = verdicts.expect();
      watch.onResource(message, responseVersion, (refused) => {
        if (refused === '') state.held.set(name, { message, version, responseVersion });
        told(refused);
      });
    }
  }

  #request(state: TypeState, fields: Partial<DeltaDiscoveryRequest>): void {
    const request = createMessage<DeltaDiscoveryRequest>('envoy.service.discovery.v3.DeltaDiscoveryRequest', {
      ...(fields as object),
      typeUrl: typeUrlOf(state.type.typeName),
    });
    // As Envoy: a stream's first request, and all where they are not to be spared.
    if (!this.#nodeSent || !this.#options.nodeOnFirstOnly) request.node = this.#options.node();
    this.#nodeSent = true;
    this.#stream.send(encodeMessage(request));
  }
}
