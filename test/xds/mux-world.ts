import type { Message } from '@bufbuild/protobuf';
import type { GrpcAsyncClient, GrpcStreamCallbacks } from '#gateway/api/async-client.ts';
import { createMessage, decodeMessage, encodeMessage, packAny, typeUrlOf } from '#gateway/proto/registry.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { StatsStore } from '#gateway/stats/store.ts';
import { ControlPlaneStats } from '#gateway/xds/control-plane-stats.ts';
import type { XdsMuxOptions } from '#gateway/xds/mux-options.ts';
import type { XdsType, XdsWatch } from '#gateway/xds/xds-watch.ts';
import type { Node } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import type { RateLimitSettings } from '#proto-types/envoy/config/core/v3/config_source_pb.ts';
import type { Secret } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
} from '#proto-types/envoy/service/discovery/v3/discovery_pb.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

/** The type that these tests carry. */
export const secretTypeName = 'envoy.extensions.transport_sockets.tls.v3.Secret';

/** The type as muxes want it. */
export const secretType: XdsType = {
  typeName: secretTypeName as Message['$typeName'],
  nameOf: (message) => (message as Secret).name,
};

/** A control plane without a network, on a clock that a test moves. */
export class MuxWorld {
  readonly time: VirtualTime = new VirtualTime();
  readonly store: StatsStore = new StatsStore();
  /** What was sent, by stream. */
  readonly sent: Uint8Array[][] = [];
  readonly streams: GrpcStreamCallbacks[] = [];
  readonly methods: string[] = [];
  resets = 0;
  /** True: streams end before they are open. */
  unreachable = false;

  options(more: { readonly rateLimit?: RateLimitSettings; readonly nodeOnFirstOnly?: boolean } = {}): XdsMuxOptions {
    const client = {
      stream: (method: string, _metadata: unknown, callbacks: GrpcStreamCallbacks) => {
        this.methods.push(method);
        const requests: Uint8Array[] = [];
        this.sent.push(requests);
        this.streams.push(callbacks);
        if (this.unreachable) callbacks.onClose(14, 'no host');
        return {
          send: (octets: Uint8Array) => void requests.push(octets),
          endWrite: () => {},
          reset: () => {
            this.resets++;
          },
        };
      },
    } as unknown as GrpcAsyncClient;
    return {
      target: { method: '/a.B/C', openClient: () => client, rateLimit: more.rateLimit ?? null },
      server: { clock: this.time, timers: this.time.timers, random: createSeededRandom(7) },
      stats: new ControlPlaneStats(this.store.root),
      node: () => createMessage<Node>('envoy.config.core.v3.Node', { id: 'me' }),
      nodeOnFirstOnly: more.nodeOnFirstOnly ?? false,
    };
  }

  stat(name: string): number {
    const all = [...this.store.counters(), ...this.store.gauges()];
    return all.find((stat) => stat.name === name)?.value ?? 0;
  }

  /** State-of-the-world requests of a stream; the latest stream without a number. */
  requests(stream: number = this.sent.length - 1): DiscoveryRequest[] {
    return this.sent[stream]!.map((octets) => decodeMessage('envoy.service.discovery.v3.DiscoveryRequest', octets));
  }

  deltaRequests(stream: number = this.sent.length - 1): DeltaDiscoveryRequest[] {
    return this.sent[stream]!.map((octets) =>
      decodeMessage('envoy.service.discovery.v3.DeltaDiscoveryRequest', octets),
    );
  }

  respond(version: string, resources: readonly Message[], nonce = `n${version}`): void {
    const message = createMessage<DiscoveryResponse>('envoy.service.discovery.v3.DiscoveryResponse', {
      versionInfo: version,
      nonce,
      typeUrl: typeUrlOf(secretTypeName),
      resources: resources.map((resource) => packAny(resource)),
      controlPlane: { identifier: 'plane' },
    });
    this.streams.at(-1)!.onMessage(encodeMessage(message));
  }

  respondDelta(
    version: string,
    resources: readonly { readonly name: string; readonly message: Message | null }[],
    removed: readonly string[] = [],
  ): void {
    const message = createMessage<DeltaDiscoveryResponse>('envoy.service.discovery.v3.DeltaDiscoveryResponse', {
      systemVersionInfo: version,
      nonce: `n${version}`,
      typeUrl: typeUrlOf(secretTypeName),
      resources: resources.map(({ name, message: inner }) => ({
        name,
        version: `${name}@${version}`,
        ...(inner === null ? {} : { resource: packAny(inner) }),
      })),
      removedResources: [...removed],
    });
    this.streams.at(-1)!.onMessage(encodeMessage(message));
  }
}

/** A secret that passes every rule. */
export function secretNamed(name: string, text = 'x'): Secret {
  return createMessage<Secret>(secretTypeName, {
    name,
    type: {
      case: 'validationContext',
      value: { trustedCa: { specifier: { case: 'inlineString', value: text } } },
    },
  });
}

/** A watch that notes what it is told and answers as it is set. */
export class TestWatch implements XdsWatch {
  readonly name: string;
  readonly told: string[] = [];
  /** What it has to say against the next resource. */
  problem = '';
  /** Not null: verdicts wait here until the test gives them. */
  waiting: ((problem: string) => void)[] | null = null;

  constructor(name: string) {
    this.name = name;
  }

  onResource(resource: Message, version: string, told: (problem: string) => void): void {
    this.told.push(`${version} ${(resource as Secret).name}`);
    if (this.waiting === null) told(this.problem);
    else this.waiting.push(told);
  }

  onRemoved(version: string): void {
    this.told.push(`${version} removed`);
  }

  onRejected(why: string): void {
    this.told.push(`rejected ${why}`);
  }

  onConnectionFailure(why: string): void {
    this.told.push(`failed ${why}`);
  }
}
