import { tokenLower } from './characters.ts';

/** Names that mean something to an HTTP/1 codec itself. `Plain` is every other name. */
export const FieldRole = {
  Plain: 0,
  Host: 1,
  ContentLength: 2,
  TransferEncoding: 3,
  Connection: 4,
  KeepAlive: 5,
  ProxyConnection: 6,
  Upgrade: 7,
  Te: 8,
  Http2Settings: 9,
} as const;
/** @see FieldRole */
export type FieldRole = (typeof FieldRole)[keyof typeof FieldRole];

/** The role of the names that have one. */
const roles: ReadonlyMap<string, FieldRole> = new Map([
  ['host', FieldRole.Host],
  ['content-length', FieldRole.ContentLength],
  ['transfer-encoding', FieldRole.TransferEncoding],
  ['connection', FieldRole.Connection],
  ['keep-alive', FieldRole.KeepAlive],
  ['proxy-connection', FieldRole.ProxyConnection],
  ['upgrade', FieldRole.Upgrade],
  ['te', FieldRole.Te],
  ['http2-settings', FieldRole.Http2Settings],
]);

/** The role of a lower-case name. */
export function fieldRole(name: string): FieldRole {
  return roles.get(name) ?? FieldRole.Plain;
}

/** Header names for which no string is made: the common ones, in lower case. */
export const knownNames: readonly string[] = (
  'host connection content-length transfer-encoding keep-alive proxy-connection upgrade te http2-settings trailer ' +
  'user-agent accept accept-encoding accept-language accept-charset accept-ranges age allow authorization cache-control ' +
  'content-type content-encoding content-language content-disposition content-location content-range cookie date dnt ' +
  'etag expect expires forwarded from if-match if-modified-since if-none-match if-range if-unmodified-since ' +
  'last-modified link location max-forwards origin pragma priority proxy-authenticate proxy-authorization range referer ' +
  'retry-after server set-cookie strict-transport-security traceparent tracestate baggage upgrade-insecure-requests vary ' +
  'via warning www-authenticate alt-svc permissions-policy content-security-policy referrer-policy ' +
  'sec-fetch-dest sec-fetch-mode sec-fetch-site sec-fetch-user sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform ' +
  'sec-websocket-key sec-websocket-version sec-websocket-protocol sec-websocket-extensions sec-websocket-accept ' +
  'access-control-allow-origin access-control-allow-credentials access-control-allow-headers ' +
  'access-control-allow-methods access-control-expose-headers access-control-max-age access-control-request-headers ' +
  'access-control-request-method cross-origin-opener-policy cross-origin-resource-policy ' +
  'x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-port x-forwarded-client-cert x-real-ip x-request-id ' +
  'x-requested-with x-content-type-options x-frame-options x-xss-protection x-powered-by x-api-key x-client-trace-id ' +
  'x-envoy-external-address x-envoy-internal x-envoy-upstream-service-time x-envoy-expected-rq-timeout-ms ' +
  'x-envoy-attempt-count x-envoy-decorator-operation x-envoy-original-path x-envoy-upstream-rq-timeout-ms ' +
  'x-envoy-ratelimited x-envoy-overloaded x-envoy-retry-on x-envoy-max-retries x-b3-traceid x-b3-spanid ' +
  'x-b3-parentspanid x-b3-sampled x-ratelimit-limit x-ratelimit-remaining x-ratelimit-reset x-ot-span-context ' +
  'grpc-status grpc-message grpc-timeout grpc-encoding grpc-accept-encoding'
).split(' ');

/** Roles by index into `knownNames`. */
export const knownRoles: Uint8Array = Uint8Array.from(knownNames, (name) => fieldRole(name));

const bucketCount = 1024;
/** Index into `knownNames` plus one, by hash; 0 is empty. Collisions go to the next bucket. */
const buckets = new Uint16Array(bucketCount);
const nameOctets: readonly Uint8Array[] = knownNames.map((name) => Uint8Array.from(name, (c) => c.charCodeAt(0)));

for (let i = 0; i < knownNames.length; i++) {
  const octets = nameOctets[i]!;
  let bucket = hashOf(octets, 0, octets.length);
  while (buckets[bucket] !== 0) bucket = (bucket + 1) & (bucketCount - 1);
  buckets[bucket] = i + 1;
}

function hashOf(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  const first = tokenLower[bytes[start]!]!;
  const middle = tokenLower[bytes[start + (length >> 1)]!]!;
  const nearEnd = tokenLower[bytes[end - (length > 3 ? 3 : 1)]!]!;
  const last = tokenLower[bytes[end - 1]!]!;
  return (length * 37 + first * 5 + middle * 89 + nearEnd * 171 + last * 331) & (bucketCount - 1);
}

/** Finds the name in octets `[start, end)`, compared without case: its index in `knownNames`, or -1. `end > start`. */
export function findKnownName(bytes: Uint8Array, start: number, end: number): number {
  let bucket = hashOf(bytes, start, end);
  const length = end - start;
  for (let entry = buckets[bucket]!; entry !== 0; entry = buckets[bucket]!) {
    const octets = nameOctets[entry - 1]!;
    if (octets.length === length) {
      let i = 0;
      while (i < length && tokenLower[bytes[start + i]!] === octets[i]) i++;
      if (i === length) return entry - 1;
    }
    bucket = (bucket + 1) & (bucketCount - 1);
  }
  return -1;
}
