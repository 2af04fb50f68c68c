import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';

/** Whether `name` is a pseudo-header or `host`, which are fields of a head and not entries of its map. */
export function isHeadField(name: string): boolean {
  return name.charCodeAt(0) === 0x3a || name === 'host';
}

/**
 * Adds a header as Envoy's HeaderMap does: names of which it keeps one entry get the value appended with a comma, others a
 * line of their own.
 */
export function addHeader(head: RequestHead | ResponseHead, name: string, value: string): void {
  const entries = head.headers.entries;
  if (singleEntryNames.has(name)) {
    for (let i = 0; i < entries.length; i += 2) {
      if (entries[i] !== name) continue;
      entries[i + 1] = entries[i + 1] === '' ? value : `${entries[i + 1]!},${value}`;
      return;
    }
  }
  head.headers.add(name, value);
}

/** Header names of which Envoy keeps a single entry (its O(1) headers). */
const singleEntryNames: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'access-control-request-headers',
  'access-control-request-method',
  'access-control-request-private-network',
  'access-control-allow-credentials',
  'access-control-allow-headers',
  'access-control-allow-methods',
  'access-control-allow-origin',
  'access-control-expose-headers',
  'access-control-max-age',
  'access-control-allow-private-network',
  'authentication',
  'authorization',
  'cache-control',
  'cdn-loop',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'date',
  'etag',
  'expect',
  'grpc-accept-encoding',
  'grpc-message',
  'grpc-status',
  'grpc-timeout',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'keep-alive',
  'location',
  'origin',
  'pragma',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'proxy-status',
  'referer',
  'server',
  'te',
  'transfer-encoding',
  'upgrade',
  'user-agent',
  'vary',
  'via',
  'x-client-trace-id',
  'x-envoy-attempt-count',
  'x-envoy-downstream-service-cluster',
  'x-envoy-downstream-service-node',
  'x-envoy-external-address',
  'x-envoy-force-trace',
  'x-envoy-internal',
  'x-envoy-original-host',
  'x-envoy-original-path',
  'x-envoy-upstream-service-time',
  'x-forwarded-client-cert',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-request-id',
]);
