import type { DescMessage } from '@bufbuild/protobuf';
import type { GrpcAsyncClient, GrpcStream, GrpcStreamCallbacks } from '#gateway/api/async-client.ts';
import type { ServerContext } from '#gateway/api/context.ts';
import { Diagnostics, describeProblem } from '#gateway/config/diagnostics.ts';
import { checkMessage } from '#gateway/config/load/check-message.ts';
import { createMessage, decodeMessage, encodeMessage, messageSchema } from '#gateway/proto/registry.ts';
import { GrpcStatus } from '#gateway/protocol/grpc/status.ts';
import type { Timer } from '#gateway/runtime/timers.ts';
import type { Node } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import type { DiscoveryRequest, DiscoveryResponse } from '#proto-types/envoy/service/discovery/v3/discovery_pb.ts';
import type { Status } from '#proto-types/google/rpc/status_pb.ts';
import { findSecret } from './file-subscription.ts';
import type { SdsSecret, SecretSubscription } from './sds-secret.ts';

const method = '/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets';
const secretTypeUrl = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret';
/** Delays between attempts: from half a second, doubled, with full jitter, up to half a minute. Envoy's for xDS. */
const baseRetryMs = 500;
const maxRetryMs = 30_000;

/** Follows one secret on an SDS service: state of the world, one stream, ACK and NACK, a new stream after a failure. */
export class GrpcSubscription implements SecretSubscription, GrpcStreamCallbacks {
  readonly #target: SdsSecret<unknown>;
  readonly #server: ServerContext;
  readonly #openClient: () => GrpcAsyncClient | null;
  readonly #nodeOnFirstOnly: boolean;
  #client: GrpcAsyncClient | null = null;
  #stream: GrpcStream | null = null;
  #retry: Timer | null = null;
  #attempts = 0;
  #version = '';
  #nodeSent = false;
  #closed = false;
  #failedAtOnce = false;

  /** `openClient` is asked at the first attempt: the cluster it goes through may not be there before. */
  constructor(
    target: SdsSecret<unknown>,
    server: ServerContext,
    nodeOnFirstOnly: boolean,
    openClient: () => GrpcAsyncClient | null,
  ) {
    this.#target = target;
    this.#server = server;
    this.#nodeOnFirstOnly = nodeOnFirstOnly;
    this.#openClient = openClient;
  }

  start(): void {
    if (this.#stream === null && !this.#closed) this.#connect();
  }

  close(): void {
    this.#closed = true;
    this.#retry?.disable();
    this.#stream?.reset();
    this.#stream = null;
  }

  onMessage(bytes: Uint8Array): void {
    let response: DiscoveryResponse;
    try {
      response = decodeMessage<DiscoveryResponse>('envoy.service.discovery.v3.DiscoveryResponse', bytes);
    } catch {
      this.#target.failed('the response is malformed');
      return;
    }
    this.#attempts = 0;
    const problem = this.#take(response);
    if (problem === '') this.#version = response.versionInfo;
    this.#send(response.nonce, problem);
  }

  onClose(status: number, message: string): void {
    this.#stream = null;
    this.#failedAtOnce = true;
    if (this.#closed) return;
    this.#target.failed(`the stream was closed: ${status} ${message}`);
    this.#scheduleRetry();
  }

  /** @see TimerTarget */
  onTimer(): void {
    if (!this.#closed) this.#connect();
  }

  #connect(): void {
    this.#client ??= this.#openClient();
    this.#nodeSent = false;
    if (this.#client === null) {
      this.#target.failed('its gRPC service cannot be used');
      return;
    }
    this.#attempts++;
    this.#failedAtOnce = false;
    const stream = this.#client.stream(method, null, this);
    if (this.#failedAtOnce) return; // told before `stream` returned: there is nothing to send on
    this.#stream = stream;
    this.#send('', '');
  }

  #scheduleRetry(): void {
    this.#retry ??= this.#server.timers.create(this);
    const ceiling = Math.min(maxRetryMs, baseRetryMs * 2 ** Math.min(16, this.#attempts - 1));
    this.#retry.enable(ceiling * this.#server.random.next());
  }

  #take(response: DiscoveryResponse): string {
    let secret: ReturnType<typeof findSecret>;
    try {
      secret = findSecret(response, this.#target.name);
    } catch {
      return 'the resource is malformed';
    }
    if (secret === null) return response.resources.length === 0 ? '' : `there is no secret '${this.#target.name}'`;
    const diagnostics = new Diagnostics();
    checkMessage(messageSchema(secret.$typeName) as unknown as DescMessage, secret, '', diagnostics);
    if (diagnostics.failed) {
      this.#target.stats.updateRejected.inc();
      return diagnostics.errors.map((found) => describeProblem(found.path, found.problem, null)).join('; ');
    }
    return this.#target.accept(secret);
  }

  #send(nonce: string, problem: string): void {
    const stream = this.#stream;
    if (stream === null) return;
    const { node } = this.#server;
    const request: DiscoveryRequest = createMessage<DiscoveryRequest>('envoy.service.discovery.v3.DiscoveryRequest', {
      versionInfo: this.#version,
      resourceNames: [this.#target.name],
      typeUrl: secretTypeUrl,
      responseNonce: nonce,
    });
    if (!this.#nodeSent || !this.#nodeOnFirstOnly) {
      request.node = createMessage<Node>('envoy.config.core.v3.Node', {
        id: node.id,
        cluster: node.cluster,
        locality: { zone: node.zone },
        userAgentName: 'envoy',
      });
      this.#nodeSent = true;
    }
    if (problem !== '') {
      request.errorDetail = createMessage<Status>('google.rpc.Status', {
        code: GrpcStatus.InvalidArgument,
        message: problem,
      });
    }
    if (nonce === '') this.#target.stats.updateAttempt.inc();
    stream.send(encodeMessage(request));
  }
}
