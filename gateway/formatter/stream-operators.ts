import { responseFlagNames } from '#gateway/api/response-flags.ts';
import type { StreamInfo } from '#gateway/api/stream-info.ts';
import { ConfigError } from '#gateway/config/diagnostics.ts';
import { environmentVariable, hostName } from '#gateway/runtime/process.ts';
import { numberProvider, type Operator, type OperatorTable, plainNumber, plainText, textProvider } from './provider.ts';
import { compileTimeFormat } from './time-format.ts';

/** Whole milliseconds from one moment to another; null unless both have come. */
function span(fromMs: number, toMs: number): number | null {
  return fromMs < 0 || toMs < 0 ? null : Math.max(0, Math.floor(toMs - fromMs));
}

/** Moments of a stream that COMMON_DURATION can measure between. */
const timePoints: { readonly [name: string]: (info: StreamInfo) => number } = {
  DS_RX_BEG: (info) => info.startMs,
  DS_RX_END: (info) => info.requestReceivedMs,
  US_CX_END: (info) => info.upstreamConnectMs,
  US_HS_END: (info) => info.upstreamTlsDoneMs,
  US_TX_BEG: (info) => info.firstUpstreamTxMs,
  US_TX_END: (info) => info.lastUpstreamTxMs,
  US_RX_BEG: (info) => info.firstUpstreamRxMs,
  US_RX_END: (info) => info.lastUpstreamRxMs,
  DS_TX_BEG: (info) => info.firstDownstreamTxMs,
  DS_TX_END: (info) => info.lastDownstreamTxMs,
};

const unitsPerMs: { readonly [unit: string]: number } = { ms: 1, us: 1000, ns: 1_000_000 };

const commonDuration: Operator = {
  params: 'required',
  length: false,
  compile(params) {
    const [from = '', to = '', unit = 'ms', ...more] = params.split(':');
    const start = timePoints[from];
    const end = timePoints[to];
    const scale = unitsPerMs[unit];
    if (more.length > 0) throw new ConfigError('', `%COMMON_DURATION%: '${params}' has more than three parts`);
    const known = Object.keys(timePoints).join(', ');
    if (start === undefined)
      throw new ConfigError('', `%COMMON_DURATION%: time point '${from}' is not one of ${known}`);
    if (end === undefined) throw new ConfigError('', `%COMMON_DURATION%: time point '${to}' is not one of ${known}`);
    if (scale === undefined)
      throw new ConfigError('', `%COMMON_DURATION%: precision '${unit}' is not one of ms, us, ns`);
    return numberProvider(({ streamInfo }) => {
      const a = start(streamInfo);
      const b = end(streamInfo);
      return a < 0 || b < 0 || b < a ? null : Math.floor((b - a) * scale);
    });
  },
};

function timeOperator(local: boolean, moment: (info: StreamInfo) => number): Operator {
  return {
    params: 'optional',
    length: false,
    compile(params, name) {
      const format = compileTimeFormat(params, local);
      if (format === null) throw new ConfigError('', `%${name}%: '${params}' is not a known time format`);
      return textProvider(({ streamInfo }) => format(moment(streamInfo)));
    },
  };
}

const startMoment = (info: StreamInfo): number => info.startWallMs;
const endMoment = (info: StreamInfo): number =>
  info.endMs < 0 ? info.startWallMs : info.startWallMs + (info.endMs - info.startMs);

const flagTexts = [new Map<number, string>(), new Map<number, string>()] as const;

/** Names of the response flags, joined with commas; `-`, as a text of its own, when there is none. */
function responseFlagsText(flags: number, long: boolean): string {
  if (flags === 0) return '-';
  const known = flagTexts[long ? 1 : 0];
  let text = known.get(flags);
  if (text === undefined) {
    const set = responseFlagNames.filter((flag) => (flags & flag.bit) !== 0);
    text = set.map((flag) => (long ? flag.long : flag.short)).join(',');
    known.set(flags, text);
  }
  return text;
}

const responseCodeDetails: Operator = {
  params: 'optional',
  length: true,
  compile(params) {
    if (params !== '' && params !== 'ALLOW_WHITESPACES') {
      throw new ConfigError('', `%RESPONSE_CODE_DETAILS%: '${params}' is not ALLOW_WHITESPACES`);
    }
    return textProvider(({ streamInfo }) => {
      const details = streamInfo.responseCodeDetails;
      if (details === '') return null;
      return params === '' && details.includes(' ') ? details.replaceAll(' ', '_') : details;
    });
  },
};

const environment: Operator = {
  params: 'required',
  length: true,
  compile(name) {
    const value = environmentVariable(name);
    return textProvider(() => value);
  },
};

const hostname: Operator = {
  params: 'none',
  length: false,
  compile() {
    const name = hostName();
    return textProvider(() => name);
  },
};

const info = (get: (info: StreamInfo) => number | null): Operator => plainNumber(({ streamInfo }) => get(streamInfo));
const words = (get: (info: StreamInfo) => string | null | undefined): Operator =>
  plainText(({ streamInfo }) => get(streamInfo));

/** Operators about the stream: times, sizes, outcome. */
export const streamOperators: OperatorTable = {
  START_TIME: timeOperator(false, startMoment),
  START_TIME_LOCAL: timeOperator(true, startMoment),
  EMIT_TIME: timeOperator(false, endMoment),
  EMIT_TIME_LOCAL: timeOperator(true, endMoment),
  DURATION: info((s) => span(s.startMs, s.endMs)),
  COMMON_DURATION: commonDuration,
  REQUEST_DURATION: info((s) => span(s.startMs, s.requestReceivedMs)),
  REQUEST_TX_DURATION: info((s) => span(s.startMs, s.lastUpstreamTxMs)),
  RESPONSE_DURATION: info((s) => span(s.startMs, s.firstUpstreamRxMs)),
  RESPONSE_TX_DURATION: info((s) => span(s.firstUpstreamRxMs, s.lastDownstreamTxMs)),
  BYTES_RECEIVED: info((s) => s.octetsReceived),
  BYTES_SENT: info((s) => s.octetsSent),
  UPSTREAM_WIRE_BYTES_SENT: info((s) => s.upstreamWireOctetsSent),
  UPSTREAM_WIRE_BYTES_RECEIVED: info((s) => s.upstreamWireOctetsReceived),
  DOWNSTREAM_WIRE_BYTES_SENT: info((s) => s.downstreamWireOctetsSent),
  DOWNSTREAM_WIRE_BYTES_RECEIVED: info((s) => s.downstreamWireOctetsReceived),
  DOWNSTREAM_HEADER_BYTES_SENT: info((s) => s.downstreamHeaderOctetsSent),
  DOWNSTREAM_HEADER_BYTES_RECEIVED: info((s) => s.downstreamHeaderOctetsReceived),
  PROTOCOL: words((s) => s.protocol),
  UPSTREAM_PROTOCOL: words((s) => s.upstreamProtocol),
  RESPONSE_CODE: info((s) => s.responseCode),
  RESPONSE_CODE_DETAILS: responseCodeDetails,
  RESPONSE_FLAGS: words((s) => responseFlagsText(s.flags, false)),
  RESPONSE_FLAGS_LONG: words((s) => responseFlagsText(s.flags, true)),
  ROUTE_NAME: words((s) => s.routeName),
  VIRTUAL_CLUSTER_NAME: words((s) => s.virtualClusterName),
  UPSTREAM_CLUSTER: words((s) => s.cluster?.observabilityName),
  UPSTREAM_CLUSTER_RAW: words((s) => s.cluster?.name),
  UPSTREAM_REQUEST_ATTEMPT_COUNT: info((s) => s.upstreamRequestAttempts),
  STREAM_ID: words((s) => s.requestId),
  ACCESS_LOG_TYPE: words((s) => (s.endMs < 0 ? 'NotSet' : s.protocol === null ? 'TcpConnectionEnd' : 'DownstreamEnd')),
  TRACE_ID: words((s) => s.traceId),
  SPAN_ID: words((s) => s.spanId),
  HOSTNAME: hostname,
  ENVIRONMENT: environment,
};
