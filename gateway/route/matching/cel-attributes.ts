import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { CelInput, CelMap } from '@bufbuild/cel';
import { create } from '@bufbuild/protobuf';
import { DurationSchema, timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { JsonValue } from '#gateway/api/stream-info.ts';
import type { Address } from '#gateway/base/address.ts';
import { peerCertificate } from '#gateway/formatter/peer-certificate.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import { barePath } from '../path-matcher.ts';
import { type Attribute, attributeMap, headerAttributes, jsonAttribute } from './attribute-map.ts';
import type { MatchContext } from './match-context.ts';

type Table = Readonly<Record<string, Attribute<MatchContext>>>;

const ofRequest = (read: (head: RequestHead) => string | null): Attribute<MatchContext> => {
  return ({ request }) => (request === null ? undefined : (read(request) ?? undefined));
};
const orNone = (text: string): string | undefined => (text === '' ? undefined : text);

const request: Table = {
  path: ofRequest((head) => head.get(':path')),
  url_path: ofRequest((head) => barePath(head.path)),
  host: ofRequest((head) => head.authority),
  scheme: ofRequest((head) => head.get(':scheme')),
  method: ofRequest((head) => head.method),
  headers: ({ request: head }) =>
    head === null ? undefined : headerAttributes(head.headers, (name) => head.get(name)),
  referer: ofRequest((head) => head.headers.get('referer')),
  useragent: ofRequest((head) => head.headers.get('user-agent')),
  id: ofRequest((head) => head.headers.get('x-request-id')),
  query: ofRequest(queryOf),
  time: ({ streamInfo }) => timestampFromMs(streamInfo.startWallMs),
  protocol: ({ streamInfo }) => streamInfo.protocol ?? undefined,
  duration: ({ streamInfo }) => durationOf(streamInfo.startMs, streamInfo.endMs),
  size: ({ request: head, streamInfo }) => {
    const length = head?.headers.get('content-length') ?? null;
    return BigInt(length !== null && /^\d+$/.test(length) ? length : streamInfo.octetsReceived);
  },
  total_size: ({ request: head, streamInfo }) =>
    BigInt(streamInfo.octetsReceived + (head === null ? 0 : head.headers.byteSize())),
};

const response: Table = {
  code: ({ streamInfo }) => (streamInfo.responseCode === 0 ? undefined : BigInt(streamInfo.responseCode)),
  code_details: ({ streamInfo }) => orNone(streamInfo.responseCodeDetails),
  flags: ({ streamInfo }) => BigInt(streamInfo.flags),
  size: ({ streamInfo }) => BigInt(streamInfo.octetsSent),
  total_size: ({ streamInfo, response: head }) =>
    BigInt(streamInfo.octetsSent + (head === null ? 0 : head.headers.byteSize())),
  headers: ({ response: head }) =>
    head === null ? undefined : headerAttributes(head.headers, (name) => head.get(name)),
  trailers: ({ streamInfo: { responseTrailers: trailers } }) =>
    trailers === null ? undefined : headerAttributes(trailers, (name) => trailers.getJoined(name)),
  grpc_status: ({ streamInfo, response: head }) => {
    const text = streamInfo.responseTrailers?.get('grpc-status') ?? head?.headers.get('grpc-status') ?? null;
    return text !== null && /^\d{1,3}$/.test(text) ? BigInt(text) : undefined;
  },
  backend_latency: ({ streamInfo }) => durationOf(streamInfo.firstUpstreamTxMs, streamInfo.lastUpstreamRxMs),
};

const connection: Table = {
  mtls: ({ streamInfo }) => streamInfo.connection.tls?.peerCertificate != null,
  requested_server_name: ({ streamInfo }) => orNone(streamInfo.connection.requestedServerName),
  id: ({ streamInfo }) => BigInt(streamInfo.connection.id),
  tls_version: ({ streamInfo }) => streamInfo.connection.tls?.version,
  termination_details: ({ streamInfo }) => orNone(streamInfo.connection.terminationDetails),
  transport_failure_reason: ({ streamInfo }) => orNone(streamInfo.connection.transportFailureReason),
  subject_peer_certificate: ({ streamInfo }) => {
    const certificate = peerCertificate(streamInfo.connection.tls);
    return certificate === null ? undefined : orNone(certificate.subject);
  },
  uri_san_peer_certificate: ({ streamInfo }) => peerCertificate(streamInfo.connection.tls)?.namesOf('uri')[0],
  dns_san_peer_certificate: ({ streamInfo }) => peerCertificate(streamInfo.connection.tls)?.namesOf('dns')[0],
  sha256_peer_certificate_digest: ({ streamInfo }) => {
    const der = streamInfo.connection.tls?.peerCertificate ?? null;
    return der === null ? undefined : createHash('sha256').update(Buffer.from(der)).digest('hex');
  },
};

const upstream: Table = {
  address: ({ streamInfo }) => streamInfo.upstreamHost?.address.text,
  port: ({ streamInfo }) => portOf(streamInfo.upstreamHost?.address ?? null),
  local_address: ({ streamInfo }) => streamInfo.upstreamConnection?.localAddress.text,
  transport_failure_reason: ({ streamInfo }) => orNone(streamInfo.upstreamTransportFailureReason),
  request_attempt_count: ({ streamInfo }) => BigInt(streamInfo.upstreamRequestAttempts),
};

const xds: Table = {
  cluster_name: ({ streamInfo }) => streamInfo.cluster?.name,
  cluster_metadata: ({ streamInfo }) => namespaces(streamInfo.cluster?.metadata),
  route_name: ({ streamInfo }) => streamInfo.routeName,
  route_metadata: ({ streamInfo }) => namespaces(streamInfo.route?.metadata),
  virtual_host_name: ({ streamInfo }) => streamInfo.virtualHostName,
  upstream_host_metadata: ({ streamInfo }) => namespaces(streamInfo.upstreamHost?.metadata),
  filter_chain_name: ({ streamInfo }) => streamInfo.connection.filterChainName,
};

/** The variables that Envoy's CEL expressions know, read from one stream when an expression asks for them. */
export class CelAttributes {
  readonly #context: MatchContext;

  constructor(context: MatchContext) {
    this.#context = context;
  }

  get request(): CelMap {
    return attributeMap(this.#context, request);
  }
  get response(): CelMap {
    return attributeMap(this.#context, response);
  }
  get connection(): CelMap {
    return attributeMap(this.#context, connection);
  }
  get upstream(): CelMap {
    return attributeMap(this.#context, upstream);
  }
  get xds(): CelMap {
    return attributeMap(this.#context, xds);
  }
  get source(): CelInput {
    return addressMap(this.#context.streamInfo.downstreamRemoteAddress);
  }
  get destination(): CelInput {
    return addressMap(this.#context.streamInfo.connection.localAddress);
  }
  get metadata(): CelInput {
    const known = this.#context.streamInfo.dynamicMetadata;
    return namespaces(known === null ? {} : Object.fromEntries(known))!;
  }
  get filter_state(): CelInput {
    const texts = new Map<string, CelInput>();
    for (const [key, value] of this.#context.streamInfo.filterState ?? [])
      if (typeof value === 'string') texts.set(key, value);
    return texts;
  }
}

function queryOf(head: RequestHead): string {
  const { path } = head;
  const question = path.indexOf('?');
  if (question === -1) return '';
  const fragment = path.indexOf('#', question);
  return path.slice(question + 1, fragment === -1 ? path.length : fragment);
}

function durationOf(fromMs: number, toMs: number): CelInput | undefined {
  if (fromMs < 0 || toMs < 0) return undefined;
  const nanos = Math.round((toMs - fromMs) * 1e6);
  return create(DurationSchema, { seconds: BigInt(Math.floor(nanos / 1e9)), nanos: nanos % 1e9 });
}

function portOf(address: Address | null): bigint | undefined {
  return address === null || address.kind !== 'ip' ? undefined : BigInt(address.port);
}

function addressMap(address: Address): CelInput {
  const map = new Map<string, CelInput>([['address', address.text]]);
  const port = portOf(address);
  if (port !== undefined) map.set('port', port);
  return map;
}

function namespaces(
  metadata: { readonly [namespace: string]: { readonly [key: string]: JsonValue } } | undefined,
): CelInput | undefined {
  if (metadata === undefined) return undefined;
  return new Map<string, CelInput>([['filter_metadata', jsonAttribute(metadata as { [key: string]: JsonValue })]]);
}
