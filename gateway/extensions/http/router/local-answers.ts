import type { DecoderFilterCallbacks, LocalReplyOptions } from '#gateway/api/http-filter.ts';
import { ResponseFlag } from '#gateway/api/response-flags.ts';
import type { DirectResponseEntry, Route } from '#gateway/api/route.ts';
import type { StreamInfo } from '#gateway/api/stream-info.ts';
import type { UpstreamCluster } from '#gateway/api/upstream.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { RouterConfig } from './router-config.ts';
import { findMalformed } from './strict-headers.ts';

/** The part of the router that its own answers need. */
export interface AnsweringRouter {
  readonly config: RouterConfig;
  readonly callbacks: DecoderFilterCallbacks;
  readonly streamInfo: StreamInfo;
  readonly attempts: number;
}

/** Why a request ends without the upstream's response. */
export interface AbortCause {
  readonly status: number;
  /** Bit of ResponseFlag. */
  readonly flag: number;
  readonly body: string;
  readonly details: string;
  /** The circuit breaker did it: the client is told with `x-envoy-overloaded`. */
  readonly dropped: boolean;
}

/** The route's timeout is over. */
export const responseTimeout: AbortCause = {
  status: 504,
  flag: ResponseFlag.UpstreamRequestTimeout,
  body: 'upstream request timeout',
  details: 'response_timeout',
  dropped: false,
};

/** The cluster's `max_stream_duration` is over; `status` tells whether the request was complete. */
export function maxDurationReached(requestComplete: boolean): AbortCause {
  return {
    status: requestComplete ? 504 : 408,
    flag: ResponseFlag.UpstreamMaxStreamDurationReached,
    body: 'upstream max stream duration reached',
    details: 'upstream_max_stream_duration_reached',
    dropped: false,
  };
}

/** What local replies of this route add: the attempt count, where the virtual host asks for it. */
export function withAttemptCount(router: AnsweringRouter, route: Route): ((head: ResponseHead) => void) | undefined {
  if (!route.virtualHost.includeAttemptCountInResponse) return undefined;
  return (head) => head.headers.set('x-envoy-attempt-count', String(router.attempts));
}

/** Answers what needs no upstream: no route, a direct response, no cluster, bad headers. Else the cluster. */
export function refuseEarly(router: AnsweringRouter, route: Route | null, head: RequestHead): UpstreamCluster | null {
  const { config, callbacks, streamInfo } = router;
  if (route === null) {
    config.stats.noRoute.inc();
    streamInfo.setFlag(ResponseFlag.NoRouteFound);
    callbacks.sendLocalReply(404, '', 'route_not_found');
    return null;
  }
  if (route.directResponse !== null) {
    answerDirectly(router, route.directResponse, head);
    return null;
  }
  const entry = route.entry!;
  const cluster = config.clusters.get(entry.clusterName);
  if (cluster === null) {
    config.stats.noCluster.inc();
    streamInfo.setFlag(ResponseFlag.NoClusterFound);
    const options = { modifyHeaders: withAttemptCount(router, route) };
    callbacks.sendLocalReply(entry.clusterNotFoundStatus, '', 'cluster_not_found', options);
    return null;
  }
  if (cluster.info.maintenanceMode) {
    streamInfo.setFlag(ResponseFlag.UpstreamOverflow);
    cluster.info.stats.rqMaintenanceMode.inc();
    callbacks.sendLocalReply(503, 'maintenance mode', 'maintenance_mode', overloaded(router, route));
    return null;
  }
  if (config.strictHeaders.length > 0) {
    const bad = findMalformed(config.strictHeaders, head);
    if (bad !== null) {
      streamInfo.setFlag(ResponseFlag.InvalidEnvoyRequestHeaders);
      const body = `invalid header '${bad.name}' with value '${bad.value}'`;
      callbacks.sendLocalReply(400, body, 'request_headers_failed_strict_check');
      return null;
    }
  }
  return cluster;
}

/** Answers 503 because no host can be chosen. */
export function noHealthyUpstream(router: AnsweringRouter, route: Route): void {
  router.streamInfo.setFlag(ResponseFlag.NoHealthyUpstream);
  const options = { modifyHeaders: withAttemptCount(router, route) };
  router.callbacks.sendLocalReply(503, 'no healthy upstream', 'no_healthy_upstream', options);
}

/** Ends the request: with a reply, or abruptly when the client has part of a response already. */
export function abortUpstream(router: AnsweringRouter, route: Route, started: boolean, cause: AbortCause): void {
  const { callbacks, streamInfo } = router;
  streamInfo.setFlag(cause.flag);
  if (started) {
    streamInfo.responseCodeDetails = cause.details;
    callbacks.resetStream('local_reset', cause.details);
    return;
  }
  const options = cause.dropped ? overloaded(router, route) : { modifyHeaders: withAttemptCount(router, route) };
  callbacks.sendLocalReply(cause.status, cause.body, cause.details, options);
}

function answerDirectly(router: AnsweringRouter, direct: DirectResponseEntry, head: RequestHead): void {
  const { config, callbacks, streamInfo } = router;
  const redirect = direct.location(head, streamInfo);
  config.stats.rqDirectResponse.inc(); // redirects too, as in Envoy
  const location = redirect ?? ownLocation(direct.status, head);
  callbacks.sendLocalReply(direct.status, direct.formatBody(head, streamInfo), 'direct_response', {
    modifyHeaders(response: ResponseHead): void {
      if (location !== null) response.headers.set('location', location);
      direct.finalizeResponseHeaders(response, head, streamInfo);
    },
  });
}

/** Fixed answers that mean "created" or a redirect point at the request's own URL, as with Envoy; others at nothing. */
function ownLocation(status: number, head: RequestHead): string | null {
  const pointing = status === 201 || (status >= 300 && status < 400);
  return pointing ? `${head.scheme}://${head.authority}${head.path}` : null;
}

function overloaded(router: AnsweringRouter, route: Route): LocalReplyOptions {
  const attempts = withAttemptCount(router, route);
  const tell = !router.config.suppressEnvoyHeaders;
  return {
    modifyHeaders(head: ResponseHead): void {
      if (tell) head.headers.set('x-envoy-overloaded', 'true');
      attempts?.(head);
    },
  };
}
