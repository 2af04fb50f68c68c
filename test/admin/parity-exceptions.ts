/** A difference from Envoy that is meant, and why. */
export interface Exception {
  readonly names: RegExp;
  readonly reason: string;
}

/** Statistics that Envoy has and sluice has not. */
export const missingHere: readonly Exception[] = [
  {
    names: /^(?:http|listener)\.admin\./,
    reason: 'the admin interface is served by a library, not by a connection manager of ours',
  },
  { names: /^http\.async-client\./, reason: "the gateway's own calls have no router: their clusters count them" },
  { names: /\.worker_\d+\./, reason: 'one worker: its figures are those of the listener' },
  { names: /\.connections_accepted_per_socket_event$/, reason: 'runtimes do not tell what one event accepted' },
  { names: /^http1\./, reason: 'counted for each connection manager, not for the process' },
  { names: /\.downstream_cx_http3_active$/, reason: 'HTTP/3 is not served' },
  { names: /^cluster\.[^.]+\.default\.total_match_count$/, reason: 'matches of transport sockets are not counted' },
];

/** Statistics that sluice has and Envoy has not. */
export const additional: readonly Exception[] = [
  { names: /^http2\./, reason: 'made at start; Envoy makes them with the first HTTP/2 connection' },
  { names: /^cluster\.[^.]+\.http2\./, reason: 'made at start; Envoy makes them with the first HTTP/2 connection' },
  { names: /\.ssl\.certificate\..*\.days_until_expiration$/, reason: 'of a certificate; Envoy has the first of all' },
  { names: /^server\.uncaught_errors$/, reason: 'what nobody caught: always zero' },
  {
    names: /\.rq_retry_skipped_request_not_complete$/,
    reason: 'made at start; Envoy makes it when a retry is skipped',
  },
];

/** Statistics whose values differ. */
export const differentValues: readonly Exception[] = [
  { names: /^filesystem\./, reason: 'lines are flushed after 200 ms, not after 10 s' },
  { names: /^runtime\./, reason: 'Envoy loads its runtime twice and looks for a folder of overrides' },
  { names: /^server\.(?:memory_\w+|uptime|version|stats_recent_lookups|total_connections)$/, reason: 'of the process' },
  { names: /^server\.static_unknown_fields$/, reason: 'unknown fields are refused' },
  { names: /_bytes_(?:buffered|total)$/, reason: 'the server header is longer or shorter by its name' },
  { names: /^cluster\.dead\.upstream_cx_http1_total$/, reason: 'counted when connected, not when tried' },
];

/** Keys of admin JSON that differ. */
export const differentKeys: readonly Exception[] = [
  { names: /\.extensions\[\]\.(?:disabled|type_descriptor)$/, reason: 'extensions cannot be switched off' },
];

/** The names that no exception covers. */
export function uncovered(names: Iterable<string>, exceptions: readonly Exception[]): string[] {
  return [...names].filter((name) => !exceptions.some((exception) => exception.names.test(name))).sort();
}
