import type { ConnectionInfo } from '#gateway/api/connection.ts';
import type { StreamInfo } from '#gateway/api/stream-info.ts';
import type { Address } from '#gateway/base/address.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import { HeadFormatContext } from '#gateway/route/format-context.ts';
import { applyMutationList } from '#gateway/route/header-mutations.ts';
import { mutateClientCertHeader } from './forward-client-cert.ts';
import { addressFromForwardedFor, isLoopback } from './forwarded-for.ts';
import type { ManagerConfig } from './manager-config.ts';
import { chooseRequestId } from './request-id.ts';

/** x-envoy-* headers that only this mesh's own proxies may send: removed from every request that is not internal. */
const externalMayNotSend: ReadonlySet<string> = new Set([
  'x-envoy-retriable-status-codes',
  'x-envoy-retriable-header-names',
  'x-envoy-retry-on',
  'x-envoy-retry-grpc-on',
  'x-envoy-max-retries',
  'x-envoy-upstream-alt-stat-name',
  'x-envoy-upstream-rq-timeout-ms',
  'x-envoy-upstream-rq-per-try-timeout-ms',
  'x-envoy-upstream-rq-timeout-alt-response',
  'x-envoy-expected-rq-timeout-ms',
  'x-envoy-force-trace',
  'x-envoy-ip-tags',
  'x-envoy-original-url',
  'x-envoy-hedge-on-per-try-timeout',
]);

/** Besides those, what a client at the edge may not send. */
const edgeMayNotSend: ReadonlySet<string> = new Set([
  'x-envoy-decorator-operation',
  'x-envoy-downstream-service-cluster',
  'x-envoy-downstream-service-node',
  'x-envoy-original-path',
  'x-envoy-original-host',
]);

/** What the single pass over a request's headers found. One is reused for all requests: nothing may keep it. */
class Seen {
  forwardedFor: string | null = null;
  forwardedForRepeated = false;
  forwardedProto: string | null = null;
  requestId: string | null = null;
  userAgent = false;
  envoy = false;
  clientCert = false;
  contentLength = false;
  upgrade = false;
  connectionUpgrade = false;
}

const seen = new Seen();

/**
 * Makes a request's headers fit to go on, as Envoy's connection manager: hop-by-hop headers out, X-Forwarded-For and -Proto,
 * internal headers, x-request-id. Also settles where the request really came from. Returns 0, or the status to refuse with.
 */
export function mutateRequestHeaders(
  head: RequestHead,
  config: ManagerConfig,
  streamInfo: StreamInfo,
  internalOnlyHeaders: readonly string[],
): number {
  for (let i = 0; i < config.earlyMutations.length; i++) {
    applyMutationList(config.earlyMutations[i]!, head, new HeadFormatContext(head, null, streamInfo));
  }
  const { headers } = head;
  const { connection } = streamInfo;
  scan(headers);
  if (seen.upgrade && seen.connectionUpgrade) {
    if (!seen.contentLength) headers.add('content-length', '0');
  } else if (seen.upgrade || seen.connectionUpgrade) {
    headers.remove('upgrade');
    headers.remove('connection');
  }
  // One list however many lines it came in.
  if (seen.forwardedForRepeated) headers.set('x-forwarded-for', seen.forwardedFor!);
  const { userAgent, envoy, clientCert } = seen;
  const requestId = seen.requestId;

  const peer = connection.remoteAddress;
  let address: Address | null = null;
  let trusted = false;
  if (config.useRemoteAddress) {
    const had = seen.forwardedFor;
    trusted = had === null;
    if (config.trustedHops > 0) address = addressFromForwardedFor(had, config.trustedHops - 1).address;
    address ??= peer;
    if (!config.skipForwardedForAppend) appendForwardedFor(headers, peer, config);
    if (config.trustedHops === 0 || seen.forwardedProto === null) setForwardedProto(headers, connection);
    if (config.appendForwardedPort) {
      if (config.trustedHops === 0) headers.set('x-forwarded-port', String(connection.localAddress.port));
      else headers.setIfAbsent('x-forwarded-port', String(connection.localAddress.port));
    }
  } else {
    let append = false;
    for (const detection of config.addressDetections) {
      const found = detection.detect(head, peer);
      if (found.rejectStatus !== 0) return found.rejectStatus;
      append = !found.skipAppend;
      address = found.address;
      trusted = found.trusted;
      if (address !== null) break;
    }
    if (append) appendForwardedFor(headers, peer, config);
    if (seen.forwardedProto === null) setForwardedProto(headers, connection);
  }
  settleScheme(head, config, connection);
  const internal = trusted && address !== null && isInternal(address, config);
  const edge = !internal && config.useRemoteAddress;
  streamInfo.downstreamRemoteAddress = address ?? peer;
  streamInfo.downstreamRemoteAddressText = streamInfo.downstreamRemoteAddress.text;

  if (envoy) removeInternalHeaders(headers, internal, edge);
  if (internal) headers.add('x-envoy-internal', 'true');
  else for (let i = 0; i < internalOnlyHeaders.length; i++) headers.remove(internalOnlyHeaders[i]!);

  if (config.userAgent !== '') {
    headers.set('x-envoy-downstream-service-cluster', config.userAgent);
    if (!userAgent) headers.set('user-agent', config.userAgent);
    if (config.server.node.id !== '') headers.set('x-envoy-downstream-service-node', config.server.node.id);
  }
  if (config.via !== '') appendVia(headers, config.via);
  if (edge && address !== null && address.kind === 'ip') headers.add('x-envoy-external-address', address.host);

  const chosen = chooseRequestId(requestId, edge, config.requestId, config.server.random);
  if (chosen !== null) {
    if (requestId === null) headers.add('x-request-id', chosen);
    else headers.set('x-request-id', chosen);
  }
  streamInfo.requestId = chosen ?? requestId ?? '';
  if (clientCert || config.clientCert.forward !== 'sanitize')
    mutateClientCertHeader(headers, connection.tls, config.clientCert);
  return 0;
}

/** One pass: drops hop-by-hop fields, notes the values that matter here. */
function scan(headers: HeaderMap): void {
  seen.forwardedFor = null;
  seen.forwardedForRepeated = false;
  seen.forwardedProto = null;
  seen.requestId = null;
  seen.userAgent = false;
  seen.envoy = false;
  seen.clientCert = false;
  seen.contentLength = false;
  seen.upgrade = false;
  seen.connectionUpgrade = false;
  const { entries } = headers;
  const { length } = entries;
  let kept = 0;
  for (let i = 0; i < length; i += 2) {
    const name = entries[i]!;
    let value = entries[i + 1]!;
    switch (name.length) {
      case 2:
        if (name === 'te') {
          if (!hasToken(value, 'trailers')) continue;
          value = 'trailers';
        }
        break;
      case 7:
        if (name === 'upgrade') seen.upgrade = true;
        break;
      case 10:
        if (name === 'connection') {
          if (value.length < 7 || !hasToken(value, 'upgrade')) continue;
          seen.connectionUpgrade = true;
        } else if (name === 'keep-alive') {
          continue;
        } else if (name === 'user-agent') {
          seen.userAgent = value !== '';
        }
        break;
      case 12:
        if (name === 'x-request-id') seen.requestId ??= value;
        break;
      case 14:
        if (name === 'content-length') seen.contentLength = true;
        break;
      case 15:
        if (name === 'x-forwarded-for') {
          if (seen.forwardedFor !== null) seen.forwardedForRepeated = true;
          seen.forwardedFor = appended(seen.forwardedFor, value);
        }
        break;
      case 16:
        if (name === 'proxy-connection') continue;
        break;
      case 17:
        if (name === 'transfer-encoding') continue;
        if (name === 'x-forwarded-proto') seen.forwardedProto ??= value;
        break;
      case 23:
        if (name === 'x-forwarded-client-cert') seen.clientCert = true;
        break;
      default:
    }
    if (name.charCodeAt(0) === 0x78 && name.startsWith('x-envoy-')) seen.envoy = true;
    if (kept !== i) entries[kept] = name;
    entries[kept + 1] = value;
    kept += 2;
  }
  if (kept !== length) entries.length = kept;
}

function hasToken(list: string, token: string): boolean {
  if (list === token) return true;
  for (const item of list.split(',')) if (item.trim().toLowerCase() === token) return true;
  return false;
}

function appendForwardedFor(headers: HeaderMap, peer: Address, config: ManagerConfig): void {
  if (peer.kind !== 'ip') return;
  const text = isLoopback(peer) ? config.localAddress : peer.host;
  const had = seen.forwardedFor;
  if (had === null) headers.add('x-forwarded-for', text);
  else headers.set('x-forwarded-for', appended(had, text));
}

/** A list with one more value; nothing between them when either is empty, as at Envoy. */
function appended(list: string | null, value: string): string {
  if (list === null || list === '') return value;
  return value === '' ? list : `${list},${value}`;
}

function setForwardedProto(headers: HeaderMap, connection: ConnectionInfo): void {
  const proto = connection.tls === null ? 'http' : 'https';
  if (seen.forwardedProto === null) headers.add('x-forwarded-proto', proto);
  else headers.set('x-forwarded-proto', proto);
  seen.forwardedProto = proto;
}

function settleScheme(head: RequestHead, config: ManagerConfig, connection: ConnectionInfo): void {
  const { schemeTransformation } = config;
  if (schemeTransformation !== '') {
    head.scheme = schemeTransformation;
    head.headers.set('x-forwarded-proto', schemeTransformation);
    return;
  }
  if (head.scheme === '') {
    const proto = seen.forwardedProto;
    const valid = proto === 'http' || proto === 'https';
    head.scheme = valid ? proto : connection.tls === null ? 'http' : 'https';
  } else if (head.scheme !== 'http' && head.scheme !== 'https') {
    head.scheme = head.scheme.toLowerCase();
  }
}

function isInternal(address: Address, config: ManagerConfig): boolean {
  if (address.kind === 'pipe') return config.internalUnixSockets;
  return config.internalNetworks?.check(address.host, address.family === 6 ? 'ipv6' : 'ipv4') ?? false;
}

function removeInternalHeaders(headers: HeaderMap, internal: boolean, edge: boolean): void {
  headers.removeWhere((name) => {
    if (!name.startsWith('x-envoy-')) return false;
    if (name === 'x-envoy-internal') return true;
    if (name === 'x-envoy-external-address') return edge;
    if (internal) return false;
    return externalMayNotSend.has(name) || (edge && edgeMayNotSend.has(name));
  });
}

/** Appends this proxy to Via. RFC 9110 section 7.6.3. */
export function appendVia(headers: HeaderMap, via: string): void {
  const had = headers.getJoined('via');
  headers.set('via', had === null || had === '' ? via : `${had}, ${via}`);
}
