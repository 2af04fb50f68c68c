import type { Buffer } from 'node:buffer';
import net from 'node:net';
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type StatusObject,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { pipeAddress } from '#gateway/base/address.ts';
import { printable } from '#gateway/base/printable.ts';
import { pathToListenOn, setSocketMode } from '#gateway/runtime/unix-socket.ts';
import type { DeltaDiscoveryRequest, DiscoveryRequest } from '#proto-types/envoy/service/discovery/v3/discovery_pb.ts';
import { AccessPolicy, type AccessRule } from './access-policy.ts';
import { DeltaSubscription } from './delta-subscription.ts';
import type { EncodedResponses } from './encoded-responses.ts';
import { OfferedSecrets } from './offered-secrets.ts';
import { certificateEndMs, peerNames } from './peer-names.ts';
import { sdsService } from './sds-service.ts';
import { type SdsPeer, SdsStream, type SdsStreamServices } from './sds-stream.ts';
import { SdsTls, type SdsTlsIdentity } from './sds-tls.ts';
import { checkSocketFolder } from './socket-folder.ts';
import { SotwSubscription } from './sotw-subscription.ts';
import type { Subscription } from './subscription.ts';

/** Connections to one address at once; further ones are closed. */
const maxConnections = 8192;
/** Connections that may wait to be accepted: all clients come back at once after a restart. */
const backlog = 4096;
/** Streams of one connection at once: HTTP/2 makes the client wait. */
const maxStreamsPerConnection = 256;
/** Streams of a server at once; further ones are refused. */
const maxStreams = 50_000;
/** Octets of a request: a thousand names and versions fit. */
const maxRequestOctets = 512 * 1024;
/** How often a silent client is asked whether it is there, and how long it has to answer. Milliseconds. */
const pingMs = 60_000;
const pingTimeoutMs = 20_000;

/** Who may connect to an address, and what they may have. */
export interface SdsPortOptions {
  /** TLS with required client certificates; absent: clear text, for loopback addresses and unix sockets. */
  readonly tls?: SdsTlsIdentity | undefined;
  /** Judges a client's certificate beyond its signature and dates, before each response: '' or why it counts for nothing. */
  readonly judge?: ((certificate: Uint8Array) => string) | undefined;
  /** Absent or empty: everything for whoever can connect. */
  readonly access?: readonly AccessRule[] | undefined;
  /** Permission bits of a unix socket; 0600 when absent. */
  readonly socketMode?: number | undefined;
}

/** One address that the SDS service is served on. */
export class SdsPort {
  readonly #options: SdsPortOptions;
  readonly #policy: AccessPolicy;
  readonly #responses: EncodedResponses;
  readonly #services: SdsStreamServices;
  readonly #rpc: Server;
  readonly #inject: (socket: net.Socket) => void;
  readonly #listener: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #tls: SdsTls | null;

  constructor(options: SdsPortOptions, responses: EncodedResponses, services: SdsStreamServices) {
    this.#options = options;
    this.#policy = new AccessPolicy(options.access ?? []);
    this.#responses = responses;
    this.#services = services;
    this.#rpc = new Server({
      'grpc.max_concurrent_streams': maxStreamsPerConnection,
      'grpc.max_receive_message_length': maxRequestOctets,
      'grpc.keepalive_time_ms': pingMs,
      'grpc.keepalive_timeout_ms': pingTimeoutMs,
    });
    this.#rpc.addService(sdsService, {
      StreamSecrets: (call: ServerDuplexStream<DiscoveryRequest, Buffer>) =>
        this.#serve(call, 'stream', (secrets) => new SotwSubscription(secrets)),
      DeltaSecrets: (call: ServerDuplexStream<DeltaDiscoveryRequest, Buffer>) =>
        this.#serve(call, 'delta', (secrets) => new DeltaSubscription(secrets)),
      FetchSecrets: (call: ServerUnaryCall<DiscoveryRequest, Buffer>, reply: sendUnaryData<Buffer>) =>
        this.#fetch(call, reply),
    });
    const injector = this.#rpc.createConnectionInjector(ServerCredentials.createInsecure());
    this.#inject = (socket) => injector.injectConnection(socket);
    this.#tls = options.tls === undefined ? null : new SdsTls(options.tls, this.#inject, services.log);
    this.#listener = net.createServer((socket) => this.#accept(socket));
  }

  /** Listens and answers the port, 0 for a unix socket. */
  async listen(address: string): Promise<number> {
    const socket = address.startsWith('unix:') ? pipeAddress(address.replace(/^unix:(?:\/\/)?/, '')) : null;
    if (socket !== null) checkSocketFolder(socket);
    const where = socket === null ? hostAndPort(address) : { path: pathToListenOn(socket) };
    await new Promise<void>((resolve, reject) => {
      this.#listener.once('error', reject);
      this.#listener.listen({ ...where, backlog }, () => {
        this.#listener.off('error', reject);
        this.#listener.on('error', ignore); // a connection that could not be accepted
        resolve();
      });
    });
    if (socket === null) return (this.#listener.address() as net.AddressInfo).port;
    setSocketMode(socket, this.#options.socketMode ?? 0o600);
    return 0;
  }

  close(): void {
    this.#listener.close();
    this.#tls?.close();
    this.#rpc.forceShutdown();
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(socket: net.Socket): void {
    socket.on('error', ignore);
    if (this.#sockets.size >= maxConnections) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.setNoDelay(true);
    if (this.#tls === null) this.#inject(socket);
    else this.#tls.start(socket);
  }

  #serve<Request extends DiscoveryRequest | DeltaDiscoveryRequest>(
    call: ServerDuplexStream<Request, Buffer>,
    kind: 'stream' | 'delta',
    subscribe: (secrets: OfferedSecrets) => Subscription<Request>,
  ): void {
    const peer = this.#peerOf(call);
    const offered = this.#offered(peer);
    if (offered instanceof OfferedSecrets) {
      new SdsStream<Request>(call, kind, subscribe(offered), offered, peer, this.#services);
      return;
    }
    call.on('error', ignore);
    call.emit('error', offered);
  }

  #fetch(call: ServerUnaryCall<DiscoveryRequest, Buffer>, reply: sendUnaryData<Buffer>): void {
    const offered = this.#offered(this.#peerOf(call));
    if (!(offered instanceof OfferedSecrets)) {
      reply(offered);
      return;
    }
    const denied = call.request.resourceNames.filter((name) => !offered.allows(name));
    if (denied.length > 0) {
      reply({ code: status.PERMISSION_DENIED, details: `not allowed: ${printable(denied.slice(0, 10).join(', '))}` });
      return;
    }
    const subscription = new SotwSubscription(offered);
    call.request.responseNonce = '';
    subscription.onRequest(call.request);
    const response = subscription.next();
    if (response !== null) reply(null, response.octets);
    else {
      const asked = printable(call.request.resourceNames.slice(0, 10).join(', '));
      reply({ code: status.NOT_FOUND, details: `no secret named ${asked}` });
    }
  }

  #peerOf(call: Call): SdsPeer {
    const address = call.getPeer();
    const raw = call.getAuthContext().sslPeerCertificate?.raw;
    if (raw === undefined || raw.length === 0) return { address, identity: [], problem: noProblem };
    const problem = (): string => this.#judge(raw);
    const found = problem();
    if (found === '') return { address, identity: peerNames(raw), problem };
    this.#services.log.warning(`${address}: its certificate does not count: ${printable(found)}`);
    return { address, identity: [], problem };
  }

  // The handshake has judged signature and dates; streams live long after it.
  #judge(certificate: Uint8Array): string {
    if (certificateEndMs(certificate) <= this.#services.clock.wallMs()) return 'the client certificate has expired';
    return this.#options.judge?.(certificate) ?? '';
  }

  /** What a client may have, or why it may have nothing. */
  #offered(peer: SdsPeer): OfferedSecrets | Partial<StatusObject> {
    const { journal, resources, log } = this.#services;
    if (journal.size >= maxStreams) return { code: status.RESOURCE_EXHAUSTED, details: 'too many streams' };
    const allows = this.#policy.forClient(peer.identity);
    if (allows !== null) return new OfferedSecrets(resources, this.#responses, allows);
    log.warning(`${peer.address}: ${printable(peer.identity.join(', ')) || 'without a name'} may have nothing`);
    return { code: status.PERMISSION_DENIED, details: 'no access rule is for this client' };
  }
}

interface Call {
  getPeer(): string;
  getAuthContext(): { readonly sslPeerCertificate?: { readonly raw?: Uint8Array } };
}

function hostAndPort(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}

function ignore(): void {}

function noProblem(): string {
  return '';
}
