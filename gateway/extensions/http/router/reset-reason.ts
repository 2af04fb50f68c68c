import { ResponseFlag } from '#gateway/api/response-flags.ts';
import type { PoolFailureReason } from '#gateway/api/upstream.ts';
import type { ResetReason } from '#gateway/protocol/codec.ts';
import type { AbortCause } from './local-answers.ts';

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

/** Why a request ends after a reset that is not tried again. */
export function resetCause(
  reason: ResetReason,
  transportReason: string,
  responseStarted: boolean,
  retried: boolean,
): AbortCause {
  const words = texts[reason];
  const cause = transportReason === '' ? words : `${words}|${transportReason}`;
  const latest = retried ? 'retried and the latest ' : '';
  return {
    status: reason === 'protocol_error' ? 502 : 503,
    flag: flags[reason],
    body: `upstream connect error or disconnect/reset before headers. ${latest}reset reason: ${words}`,
    details: `upstream_reset_${responseStarted ? 'after' : 'before'}_response_started{${cause}}`.replaceAll(' ', '_'),
    dropped: reason === 'overflow',
  };
}

/** What a pool's failure is as a reset. */
export function poolFailureReset(reason: PoolFailureReason): ResetReason {
  return reason === 'timeout' ? 'connection_timeout' : reason;
}
