import { ResponseFlag } from '#gateway/api/response-flags.ts';
import type { PoolFailureReason } from '#gateway/api/upstream.ts';
import type { ResetReason } from '#gateway/protocol/codec.ts';

const texts: Readonly<Record<ResetReason, string>> = {
  local_reset: 'local reset',
  local_refused_stream_reset: 'local refused-stream reset',
  remote_reset: 'remote reset',
  remote_refused_stream_reset: 'remote refused-stream reset',
  local_connection_failure: 'local connection failure',
  remote_connection_failure: 'remote connection failure',
  connection_timeout: 'connection timeout',
  connection_termination: 'connection termination',
  overflow: 'overflow',
  connect_error: 'remote error with CONNECT request',
  protocol_error: 'protocol error',
};

const flags: Readonly<Record<ResetReason, number>> = {
  local_reset: ResponseFlag.LocalReset,
  local_refused_stream_reset: ResponseFlag.LocalReset,
  remote_reset: ResponseFlag.UpstreamRemoteReset,
  remote_refused_stream_reset: ResponseFlag.UpstreamRemoteReset,
  local_connection_failure: ResponseFlag.UpstreamConnectionFailure,
  remote_connection_failure: ResponseFlag.UpstreamConnectionFailure,
  connection_timeout: ResponseFlag.UpstreamConnectionFailure,
  connection_termination: ResponseFlag.UpstreamConnectionTermination,
  overflow: ResponseFlag.UpstreamOverflow,
  connect_error: ResponseFlag.UpstreamRemoteReset,
  protocol_error: ResponseFlag.UpstreamProtocolError,
};

/** Envoy's words for a reset, as they stand in reply bodies and details. */
export function resetReasonText(reason: ResetReason): string {
  return texts[reason];
}

/** The response flag of a reset by the upstream's side. */
export function resetReasonFlag(reason: ResetReason): number {
  return flags[reason];
}

/** What a pool's failure is as a reset. */
export function poolFailureReset(reason: PoolFailureReason): ResetReason {
  return reason === 'timeout' ? 'connection_timeout' : reason;
}
