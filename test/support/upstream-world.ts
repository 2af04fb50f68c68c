import net from 'node:net';
import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import type { UpstreamTransportSocketFactory } from '#gateway/api/transport-socket.ts';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { messageSchema, protoRegistry } from '#gateway/proto/registry.ts';
import { RawUpstreamFactory } from '#gateway/transport/raw-upstream.ts';
import { Clusters } from '#gateway/upstream/cluster-manager.ts';
import { systemResolver } from '#gateway/upstream/discovery/system-resolver.ts';
import { clientCodecs } from '#gateway/upstream/pool/codec-factory.ts';
import type { UpstreamServices } from '#gateway/upstream/upstream-services.ts';
import type { Cluster } from '#proto-types/envoy/config/cluster/v3/cluster_pb.ts';
import { freePorts } from './running-program.ts';
import { createTestServerContext, type TestServerContext } from './server-context.ts';

/** A Cluster message from its JSON form. */
export function clusterMessage(json: JsonValue): Cluster {
  return fromJson(messageSchema<Cluster>('envoy.config.cluster.v3.Cluster'), json, {
    registry: protoRegistry(),
  }) as Cluster;
}

/** `load_assignment` for ports on the loopback address. */
export function onPorts(...ports: readonly number[]): JsonValue {
  return {
    endpoints: [
      {
        lb_endpoints: ports.map((port) => ({
          endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } },
        })),
      },
    ],
  };
}

/** The typed extension options of a cluster that speaks HTTP/2. */
export function http2Options(extra: { [key: string]: JsonValue } = {}): JsonValue {
  return {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options: {} },
      ...extra,
    },
  };
}

/** Clusters at work over real sockets, with the context they run in. */
export interface UpstreamWorld {
  readonly context: TestServerContext;
  readonly services: UpstreamServices;
  readonly clusters: Clusters;
}

/** Builds and starts clusters from JSON. Throws when one is refused. */
export function createUpstreamWorld(
  configs: readonly JsonValue[],
  overrides: Partial<TestServerContext> = {},
  services: Partial<UpstreamServices> = {},
): UpstreamWorld {
  const context = createTestServerContext(overrides);
  const raw: UpstreamTransportSocketFactory = new RawUpstreamFactory(context.clock, context.timers);
  const all: UpstreamServices = {
    clock: context.clock,
    timers: context.timers,
    random: context.random,
    runtime: context.runtime,
    logs: context.logs,
    stats: context.stats,
    localZone: '',
    resolver: systemResolver,
    codecs: clientCodecs,
    createTransportSocket: () => raw,
    createEds: null,
    addInitTarget: (target) => target.start(() => {}),
    ...services,
  };
  const clusters = new Clusters(all);
  const found = new Diagnostics();
  clusters.addStatic(configs.map(clusterMessage), found);
  found.throwIfFailed();
  return { context: Object.assign(context, { clusters }), services: all, clusters };
}

/** A plain TCP server that answers request heads by a script. */
export interface ScriptedUpstream {
  readonly port: number;
  /** Request heads in the order they came. */
  readonly heads: string[];
  /** Connections accepted so far. */
  connections: number;
  close(): void;
}

/** Starts one; `answer` gets the head and the socket. A body of the request is not looked at. */
export async function startScriptedUpstream(
  answer: (head: string, socket: net.Socket, nth: number) => void,
): Promise<ScriptedUpstream> {
  const heads: string[] = [];
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ noDelay: true }, (socket) => {
    upstream.connections++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end !== -1; end = text.indexOf('\r\n\r\n')) {
        const head = text.slice(0, end);
        text = text.slice(end + 4);
        if (!/^[A-Z]+ /.test(head)) return;
        heads.push(head);
        answer(head, socket, heads.length);
      }
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const upstream: ScriptedUpstream = {
    port: (server.address() as net.AddressInfo).port,
    heads,
    connections: 0,
    close(): void {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
  return upstream;
}

/** An HTTP/1.1 response with a Content-Length. */
export function response(status: number, body: string, ...headers: readonly string[]): string {
  return [`HTTP/1.1 ${status} x`, `content-length: ${body.length}`, ...headers, '', body].join('\r\n');
}

/** A port on which nobody listens. */
export async function closedPort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}
