import { Buffer } from 'node:buffer';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { AppendAction, appendActionOf, headerValueText } from '#gateway/config/header-value.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import { typeNameOf, unpackAny } from '#gateway/proto/registry.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { HeaderValueOption } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import type {
  HealthCheck,
  HealthCheck_HttpHealthCheck,
  HealthCheck_Payload,
} from '#proto-types/envoy/config/core/v3/health_check_pb.ts';
import type { HealthCheckEventFileSink } from '#proto-types/envoy/extensions/health_check/event_sinks/file/v3/file_pb.ts';

const fileSinkType = 'envoy.extensions.health_check.event_sinks.file.v3.HealthCheckEventFileSink';

/** When checks are made and what their results mean. Times in milliseconds. */
export interface HealthCheckTiming {
  readonly timeoutMs: number;
  readonly intervalMs: number;
  readonly initialJitterMs: number;
  readonly intervalJitterMs: number;
  readonly intervalJitterPercent: number;
  readonly noTrafficMs: number;
  readonly noTrafficHealthyMs: number;
  readonly unhealthyMs: number;
  readonly unhealthyEdgeMs: number;
  readonly healthyEdgeMs: number;
  readonly unhealthyThreshold: number;
  readonly healthyThreshold: number;
  readonly reuseConnection: boolean;
}

/** A range of status codes, `end` excluded. */
export interface StatusRange {
  readonly start: number;
  readonly end: number;
}

/** What an HTTP check sends and expects. */
export interface HttpCheck {
  readonly kind: 'http';
  readonly method: string;
  readonly path: string;
  /** `:authority`; '' is the cluster's name. */
  readonly host: string;
  readonly http2: boolean;
  readonly expected: readonly StatusRange[];
  readonly retriable: readonly StatusRange[];
  /** `[name, value, ...]`, with the user agent. */
  readonly headers: readonly string[];
  /** Texts (latin-1) that must stand in the body, in this order. */
  readonly receive: readonly string[];
}

/** A call of the standard gRPC health service. */
export interface GrpcCheck {
  readonly kind: 'grpc';
  readonly serviceName: string;
  /** `:authority`; '' is the cluster's name. */
  readonly host: string;
  readonly http2: true;
  /** `[name, value, ...]`, with the user agent. */
  readonly headers: readonly string[];
}

/** What a TCP check sends and expects; nothing at all: the connection is enough. */
export interface TcpCheck {
  readonly kind: 'tcp';
  readonly send: Uint8Array | null;
  readonly receive: readonly string[];
}

/** One `health_checks` item, resolved. */
export interface HealthCheckConfig {
  readonly timing: HealthCheckTiming;
  readonly check: HttpCheck | TcpCheck | GrpcCheck;
  /** Files that events are written to. */
  readonly eventLogs: readonly string[];
  /** `always_log_health_check_success`, `always_log_health_check_failures`: not only changes. */
  readonly logSuccesses: boolean;
  readonly logFailures: boolean;
}

// RequestMethod: METHOD_UNSPECIFIED, GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH
const methods = ['GET', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'] as const;
const defaultNoTrafficMs = 60_000;

/** Reads one item; null when it cannot be used, which is told to `found`. */
export function readHealthCheck(message: HealthCheck, found: Diagnostics): HealthCheckConfig | null {
  const checker = message.healthChecker;
  const rest = {
    timing: readTiming(message),
    eventLogs: readEventLogs(message, found),
    logSuccesses: message.alwaysLogHealthCheckSuccess,
    logFailures: message.alwaysLogHealthCheckFailures,
  };
  if (checker.case === 'httpHealthCheck') return { ...rest, check: readHttpCheck(checker.value, found) };
  if (checker.case === 'tcpHealthCheck') {
    const { send, receive } = checker.value;
    return {
      ...rest,
      check: {
        kind: 'tcp',
        send: send === undefined ? null : payloadOctets(send, found.at('tcp_health_check.send')),
        receive: readPayloads(receive, found.at('tcp_health_check')),
      },
    };
  }
  if (checker.case === 'grpcHealthCheck') {
    const { serviceName, authority, initialMetadata } = checker.value;
    const headers = readHeaders(initialMetadata, found.at('grpc_health_check'), 'initial_metadata');
    return { ...rest, check: { kind: 'grpc', serviceName, host: authority, http2: true, headers } };
  }
  found.error('', 'an http_health_check, a tcp_health_check or a grpc_health_check is needed');
  return null;
}

function readEventLogs(message: HealthCheck, found: Diagnostics): string[] {
  const paths = message.eventLogPath === '' ? [] : [message.eventLogPath];
  for (const [i, { name, typedConfig }] of message.eventLogger.entries()) {
    if (typedConfig !== undefined && typeNameOf(typedConfig) === fileSinkType) {
      paths.push(unpackAny<HealthCheckEventFileSink>(typedConfig).eventLogPath);
    } else found.error(`event_logger[${i}]`, `the event sink ${name} is not supported yet`);
  }
  return paths;
}

function readTiming(message: HealthCheck): HealthCheckTiming {
  const intervalMs = durationMs(message.interval, 0);
  const noTrafficMs = durationMs(message.noTrafficInterval, defaultNoTrafficMs);
  const unhealthyMs = durationMs(message.unhealthyInterval, intervalMs);
  return {
    timeoutMs: durationMs(message.timeout, 0),
    intervalMs,
    initialJitterMs: durationMs(message.initialJitter, 0),
    intervalJitterMs: durationMs(message.intervalJitter, 0),
    intervalJitterPercent: message.intervalJitterPercent,
    noTrafficMs,
    noTrafficHealthyMs: durationMs(message.noTrafficHealthyInterval, noTrafficMs),
    unhealthyMs,
    unhealthyEdgeMs: durationMs(message.unhealthyEdgeInterval, unhealthyMs),
    healthyEdgeMs: durationMs(message.healthyEdgeInterval, intervalMs),
    unhealthyThreshold: message.unhealthyThreshold ?? 1,
    healthyThreshold: message.healthyThreshold ?? 1,
    reuseConnection: message.reuseConnection ?? true,
  };
}

function readHttpCheck(message: HealthCheck_HttpHealthCheck, found: Diagnostics): HttpCheck {
  const ranges = (list: readonly { start: bigint; end: bigint }[]): StatusRange[] =>
    list.map(({ start, end }) => ({ start: Number(start), end: Number(end) }));
  const expected = ranges(message.expectedStatuses);
  return {
    kind: 'http',
    method: methods[message.method as number] ?? 'GET',
    path: message.path,
    host: message.host,
    http2: (message.codecClientType as number) === 1,
    expected: expected.length === 0 ? [{ start: 200, end: 201 }] : expected,
    retriable: ranges(message.retriableStatuses),
    headers: readHeaders(message.requestHeadersToAdd, found.at('http_health_check'), 'request_headers_to_add'),
    receive: readPayloads(message.receive, found.at('http_health_check')),
  };
}

/** The headers of every check: `user-agent` and what `field` does to it. */
function readHeaders(options: readonly HeaderValueOption[], found: Diagnostics, field: string): readonly string[] {
  const headers = new HeaderMap(['user-agent', 'Envoy/HC']);
  options.forEach((option, i) => {
    const { header, keepEmptyValue } = option;
    if (header === undefined) return;
    const text = headerValueText(header).replaceAll('%%', '%');
    if (headerValueText(header).replaceAll('%%', '').includes('%')) {
      found.error(`${field}[${i}].header.value`, 'commands are not supported yet in headers of health checks');
    }
    if (text === '' && !keepEmptyValue) return;
    const name = header.key.toLowerCase();
    const action = appendActionOf(option);
    const known = headers.has(name);
    if (action === AppendAction.OverwriteOrAdd || (action === AppendAction.Overwrite && known)) headers.set(name, text);
    else if (action === AppendAction.AppendOrAdd || (action === AppendAction.AddIfAbsent && !known))
      headers.add(name, text);
  });
  return headers.entries;
}

function readPayloads(list: readonly HealthCheck_Payload[], found: Diagnostics): string[] {
  return list.map((payload, i) =>
    Buffer.from(payloadOctets(payload, found.at(`receive[${i}]`)) ?? new Uint8Array(0)).toString('latin1'),
  );
}

// `text` is hexadecimal.
function payloadOctets({ payload }: HealthCheck_Payload, found: Diagnostics): Uint8Array | null {
  if (payload.case === 'binary') return payload.value;
  if (payload.case === 'text' && /^([0-9A-Fa-f]{2})+$/.test(payload.value)) return Buffer.from(payload.value, 'hex');
  found.error('text', 'invalid hex string');
  return null;
}
