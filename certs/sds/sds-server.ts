import { Buffer } from 'node:buffer';
import type { Message } from '@bufbuild/protobuf';
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { pipeAddress } from '#gateway/base/address.ts';
import type { Logger } from '#gateway/base/log.ts';
import { printable } from '#gateway/base/printable.ts';
import { decodeMessage, encodeMessage } from '#gateway/proto/registry.ts';
import { pathToListenOn, setSocketMode } from '#gateway/runtime/unix-socket.ts';
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
} from '#proto-types/envoy/service/discovery/v3/discovery_pb.ts';
import { DeltaSubscription } from './delta-subscription.ts';
import type { SecretResources, SecretResourcesListener } from './secret-resources.ts';
import { SotwSubscription, type Verdict } from './sotw-subscription.ts';

const service = 'envoy.service.secret.v3.SecretDiscoveryService';
const discovery = 'envoy.service.discovery.v3';

/** A subscription of either kind, as the stream sees it. */
interface Subscription<Request, Response> {
  readonly verdict: Verdict;
  readonly nackMessage: string;
  readonly sent: string;
  readonly wanted: string;
  onRequest(request: Request): Response | null;
  onSecretChanged(name: string): Response | null;
}

/** envoy.service.secret.v3.SecretDiscoveryService over gRPC. */
export class SdsServer {
  readonly #resources: SecretResources;
  readonly #log: Logger;
  readonly #server = new Server();

  constructor(resources: SecretResources, log: Logger) {
    this.#resources = resources;
    this.#log = log;
    this.#server.addService(
      {
        StreamSecrets: method<DiscoveryRequest, DiscoveryResponse>('StreamSecrets', 'Discovery', true),
        DeltaSecrets: method<DeltaDiscoveryRequest, DeltaDiscoveryResponse>('DeltaSecrets', 'DeltaDiscovery', true),
        FetchSecrets: method<DiscoveryRequest, DiscoveryResponse>('FetchSecrets', 'Discovery', false),
      },
      {
        StreamSecrets: (call: ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>) =>
          this.#serve(call, 'stream', new SotwSubscription(this.#resources)),
        DeltaSecrets: (call: ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>) =>
          this.#serve(call, 'delta', new DeltaSubscription(this.#resources)),
        FetchSecrets: (
          call: ServerUnaryCall<DiscoveryRequest, DiscoveryResponse>,
          reply: sendUnaryData<DiscoveryResponse>,
        ) => this.#fetch(call.request, reply),
      },
    );
  }

  /**
   * Listens on `host:port` or `unix:PATH` and answers the port (0 for a unix socket). Private keys travel in the clear, so a
   * unix socket is for its owner only; one that an earlier process left behind gives way.
   */
  async listen(address: string): Promise<number> {
    const socket = address.startsWith('unix:') ? pipeAddress(address.replace(/^unix:(?:\/\/)?/, '')) : null;
    if (socket !== null) pathToListenOn(socket);
    return await new Promise((resolve, reject) => {
      this.#server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
        if (error !== null) {
          reject(error);
          return;
        }
        if (socket !== null) setSocketMode(socket, 0o600);
        resolve(socket === null ? port : 0);
      });
    });
  }

  /** Ends every stream and stops listening. */
  close(): void {
    this.#server.forceShutdown();
  }

  #serve<Request, Response>(
    call: ServerDuplexStream<Request, Response>,
    kind: string,
    subscription: Subscription<Request, Response>,
  ): void {
    const peer = call.getPeer();
    const send = (response: Response | null): void => {
      if (response === null) return;
      call.write(response);
      this.#log.info(`${kind} ${peer}: sent ${printable(subscription.wanted)}, ${subscription.sent}`);
    };
    const listener: SecretResourcesListener = { onSecretChanged: (name) => send(subscription.onSecretChanged(name)) };
    this.#resources.subscribe(listener);
    const forget = (): void => this.#resources.unsubscribe(listener);
    call.on('data', (request: Request) => {
      const response = subscription.onRequest(request);
      if (subscription.verdict === 'nack') {
        this.#log.warning(
          `${kind} ${peer}: NACK ${printable(subscription.wanted)}, ${subscription.sent}: ${printable(subscription.nackMessage)}`,
        );
      } else if (subscription.verdict === 'ack' && response === null) {
        this.#log.info(`${kind} ${peer}: ACK ${printable(subscription.wanted)}, ${subscription.sent}`);
      }
      send(response);
    });
    call.on('end', () => {
      forget();
      call.end();
    });
    call.on('cancelled', forget);
    call.on('close', forget);
    call.on('error', (error: Error) => {
      forget();
      if (this.#log.debugOn) this.#log.debug(`${kind} ${peer}: ${error.message}`);
    });
  }

  #fetch(request: DiscoveryRequest, reply: sendUnaryData<DiscoveryResponse>): void {
    request.responseNonce = '';
    const response = new SotwSubscription(this.#resources).onRequest(request);
    if (response !== null) reply(null, response);
    else reply({ code: status.NOT_FOUND, details: `no secret named ${request.resourceNames.join(', ')}` });
  }
}

/** One method of the service as grpc-js wants it. */
function method<Request extends Message, Response extends Message>(
  name: string,
  kind: 'Discovery' | 'DeltaDiscovery',
  stream: boolean,
): {
  path: string;
  requestStream: boolean;
  responseStream: boolean;
  requestSerialize: (message: Request) => Buffer;
  requestDeserialize: (octets: Buffer) => Request;
  responseSerialize: (message: Response) => Buffer;
  responseDeserialize: (octets: Buffer) => Response;
} {
  const serialize = (message: Message): Buffer => Buffer.from(encodeMessage(message));
  return {
    path: `/${service}/${name}`,
    requestStream: stream,
    responseStream: stream,
    requestSerialize: serialize,
    requestDeserialize: (octets) =>
      decodeMessage<Request>(`${discovery}.${kind}Request` as Request['$typeName'], octets),
    responseSerialize: serialize,
    responseDeserialize: (octets) =>
      decodeMessage<Response>(`${discovery}.${kind}Response` as Response['$typeName'], octets),
  };
}
