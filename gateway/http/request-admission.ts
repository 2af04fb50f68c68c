import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import { hostWithoutPort } from '#gateway/route/virtual-host-index.ts';
import type { ActiveStream } from './active-stream.ts';
import type { ManagerConfig } from './manager-config.ts';
import { isPlainPath, normalizePath } from './path-normalization.ts';
import { mutateRequestHeaders } from './request-headers.ts';
import { ResponseCodeDetails } from './response-code-details.ts';
import { requestedUpgrade } from './response-headers.ts';

/** What is checked and settled before the first filter sees a request, in Envoy's order. */
export const RequestAdmission = {
  /** True: the request was answered here and goes no further. */
  refuse(stream: ActiveStream, head: RequestHead): boolean {
    const { config } = stream.manager;
    if (!config.proxy100Continue && expectsContinue(head)) {
      stream.sendContinue();
      head.headers.remove('expect');
    }
    if (head.authority === '') return answer(stream, 400, ResponseCodeDetails.MissingHost);
    if (head.method !== 'CONNECT' && refusesPath(stream, head, config)) return true;
    normalizeHost(stream, head, config);
    const { internalOnlyHeaders } = stream.routes;
    const status = mutateRequestHeaders(head, config, stream.streamInfo, internalOnlyHeaders);
    if (status !== 0) {
      config.stats.rqRejectedViaIpDetection.inc();
      return answer(stream, status, ResponseCodeDetails.OriginalIpDetectionFailed);
    }
    return refusesUpgrade(stream, head, config);
  },
};

function answer(stream: ActiveStream, status: number, details: string): true {
  stream.sendLocalReply(status, '', details, null);
  return true;
}

function expectsContinue(head: RequestHead): boolean {
  const { entries } = head.headers;
  for (let i = 0; i < entries.length; i += 2) {
    if (entries[i]!.length === 6 && entries[i] === 'expect') return entries[i + 1]!.toLowerCase() === '100-continue';
  }
  return false;
}

function refusesPath(stream: ActiveStream, head: RequestHead, config: ManagerConfig): boolean {
  const { path } = head;
  const { stats } = config;
  if (path === '') return answer(stream, 404, ResponseCodeDetails.MissingPath);
  if (path.charCodeAt(0) !== 0x2f) {
    stats.rqNonRelativePath.inc();
    return answer(stream, 404, ResponseCodeDetails.AbsolutePath);
  }
  if (isPlainPath(path)) return false;
  const { path: normal, verdict } = normalizePath(path, config.path);
  if (verdict === 'reject' || (verdict === 'redirect' && stream.isGrpc)) {
    stats.rqFailedPathNormalization.inc();
    return answer(stream, 400, ResponseCodeDetails.PathNormalizationFailed);
  }
  head.path = normal;
  if (verdict === 'continue') return false;
  stats.rqRedirectedWithNormalizedPath.inc();
  const modifyHeaders = (response: { headers: { set(name: string, value: string): void } }): void => {
    response.headers.set('location', normal);
  };
  stream.sendLocalReply(307, '', ResponseCodeDetails.PathNormalizationFailed, { modifyHeaders });
  return true;
}

function normalizeHost(stream: ActiveStream, head: RequestHead, config: ManagerConfig): void {
  if (config.stripHostPort !== 'none') {
    const bare = hostWithoutPort(head.authority);
    if (bare !== head.authority) {
      const port = head.authority.slice(bare.length + 1);
      const local = String(stream.connection.info.localAddress.port);
      if (config.stripHostPort === 'any' || port === local) head.authority = bare;
    }
  }
  if (config.stripTrailingHostDot) {
    const bare = hostWithoutPort(head.authority);
    if (bare.length > 1 && bare.endsWith('.')) head.authority = bare.slice(0, -1) + head.authority.slice(bare.length);
  }
}

/** An upgrade must be allowed by the connection manager or the route; one without a route is left to be answered 404. */
function refusesUpgrade(stream: ActiveStream, head: RequestHead, config: ManagerConfig): boolean {
  const type = requestedUpgrade(head);
  if (type === '') return false;
  const routeSays = stream.route?.entry?.upgrades?.get(type);
  const options = config.upgrades.get(type);
  if (routeSays === false || (routeSays !== true && options?.enabled !== true)) {
    if (stream.route === null) return false;
    config.stats.rqWsOnNonWsRoute.inc();
    return answer(stream, 403, ResponseCodeDetails.UpgradeFailed);
  }
  if (options?.chain != null) stream.useChain(options.chain);
  stream.upgraded = true;
  config.stats.cxUpgradesTotal.inc();
  config.stats.cxUpgradesActive.inc();
  return false;
}
