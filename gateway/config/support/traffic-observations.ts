/** How rate limits differ from Envoy's where no field is refused; each was seen beside Envoy 1.40. */
export const rateLimitObservations: readonly string[] = [
  '`hits_addend` by format: a value that is no number (`NaN`) leaves the descriptor out; Envoy sends 2^63 hits.',
  'Values of descriptors that are not UTF-8 are sent as UTF-8, for a protobuf string is; Envoy sends their octets as they are.',
  '`local_rate_limit_per_downstream_connection`: each configuration has a bucket of its own on a connection; Envoy lends the first one to all others.',
  'Of several wildcard descriptors of `local_ratelimit` that fit a request the first in the configuration counts; Envoy keeps no order.',
  'CEL expressions as descriptors: strings may be added, and `has()` of an index, `string()` and comprehensions are taken, where Envoy refuses them; numbers with a fraction, lists, maps, octets and times have other texts; `request.headers` has no pseudo-headers.',
  '`response_headers_to_add` with an empty `grpc-status` on a refused gRPC request: it stays empty; Envoy sends 14.',
];

/** What a runtime does otherwise than the others, and what to do about it. */
export const runtimeObservations: readonly string[] = [
  'Deno: a gateway that has run out of open files accepts no connection any more, without a word, because its `node:net` ends the loop that accepts. Set `ulimit -n` well above twice the connections that are expected (a connection and one to its upstream), or bound them with the network filter `connection_limit`. Bun and Node go on when files are free again; the rate-limit service closes its port in time on each of them.',
];
