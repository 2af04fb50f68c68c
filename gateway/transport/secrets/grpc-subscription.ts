import type { Message } from '@bufbuild/protobuf';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { XdsMux, XdsType, XdsWatch } from '#gateway/xds/xds-watch.ts';
import type { Secret } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import type { SdsSecret, SecretSubscription } from './sds-secret.ts';

/** The resource of SDS. */
export const secretType: XdsType<Secret> = {
  typeName: 'envoy.extensions.transport_sockets.tls.v3.Secret',
  nameOf: (secret) => secret.name,
};

/** Follows one secret on a stream to a control plane, its own or one that it shares. */
export class GrpcSubscription implements SecretSubscription, XdsWatch {
  readonly name: string;
  readonly #target: SdsSecret<unknown>;
  readonly #mux: XdsMux;
  readonly #ownsMux: boolean;
  readonly #clock: Clock;
  #started = false;

  /** `ownsMux`: the stream serves this secret alone and ends with it. */
  constructor(target: SdsSecret<unknown>, mux: XdsMux, ownsMux: boolean, clock: Clock) {
    this.#clock = clock;
    this.name = target.name;
    this.#target = target;
    this.#mux = mux;
    this.#ownsMux = ownsMux;
  }

  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#target.stats.updateAttempt.inc();
    this.#mux.watch(secretType as unknown as XdsType, this);
  }

  close(): void {
    if (this.#ownsMux) this.#mux.close();
    else if (this.#started) this.#mux.unwatch(secretType as unknown as XdsType, this);
  }

  /** @see XdsWatch */
  onResource(resource: Message, version: string, told: (problem: string) => void): void {
    const startMs = this.#clock.nowMs();
    this.#target.accept(resource as Secret, version, (problem) => {
      this.#target.stats.updateAttempt.inc();
      this.#target.stats.updateDuration.record(this.#clock.nowMs() - startMs);
      told(problem);
    });
  }

  /** A secret that is taken away at its source stays in force here, as in Envoy. */
  onRemoved(version: string): void {
    this.#target.stats.updateAttempt.inc();
    this.#target.confirmed(version);
  }

  /** @see XdsWatch */
  onRejected(why: string): void {
    this.#target.stats.updateAttempt.inc();
    this.#target.rejected(why);
  }

  /** @see XdsWatch */
  onConnectionFailure(why: string): void {
    this.#target.stats.updateAttempt.inc();
    this.#target.failed(why);
  }
}
