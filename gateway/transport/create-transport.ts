import type { ServerContext } from '#gateway/api/context.ts';
import type { UpstreamTransportSocketFactory } from '#gateway/api/transport-socket.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { typeNameOf, unpackAny } from '#gateway/proto/registry.ts';
import { HandshakeServer } from '#gateway/runtime/tls-sockets.ts';
import type { Scope } from '#gateway/stats/stats.ts';
import type { TransportSocket } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import type {
  DownstreamTlsContext,
  UpstreamTlsContext,
} from '#proto-types/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts';
import { type CommonTls, readCommonTls } from './common-tls.ts';
import { checkStaples, readDownstreamOptions } from './downstream-options.ts';
import { DownstreamTls, type DownstreamTlsOptions } from './downstream-tls.ts';
import { RawUpstreamFactory } from './raw-upstream.ts';
import { UpstreamTls } from './upstream-tls.ts';

const rawBufferType = 'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer';
const downstreamTlsType = 'envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext';
const upstreamTlsType = 'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext';

/**
 * Builds a filter chain's transport: null for raw (also when `socket` is absent). Problems go to `diagnostics`, whose paths
 * are relative to transport_socket. `scope` is the listener's.
 */
export function createDownstreamTransport(
  socket: TransportSocket | undefined,
  server: ServerContext,
  scope: Scope,
  diagnostics: Diagnostics,
): DownstreamTls | null {
  const any = socket?.configType.case === 'typedConfig' ? socket.configType.value : undefined;
  if (socket === undefined) return null;
  if (any === undefined) {
    if (socket.name !== 'envoy.transport_sockets.raw_buffer' && socket.name !== 'raw_buffer') {
      diagnostics.error('typed_config', 'is required');
    }
    return null;
  }
  const type = typeNameOf(any);
  if (type === rawBufferType) return null;
  const at = diagnostics.at('typed_config');
  if (type !== downstreamTlsType) {
    at.error('', `${type} is not a downstream transport socket that is supported yet`);
    return null;
  }
  const context = unpackAny<DownstreamTlsContext>(any);
  const common = readCommonTls(context.commonTlsContext, 'server', server, at.at('common_tls_context'));
  if (common.certificates.length === 0) {
    at.error('common_tls_context', 'No TLS certificates found for server context');
    return null;
  }
  if (context.requireClientCertificate === true && common.validation === null && common.dynamicValidation === null) {
    at.warning(
      'require_client_certificate',
      'has no effect without a validation context: clients without a certificate are let in, as in Envoy',
    );
  }
  const options = readDownstreamOptions(context, server, at);
  checkStaples(common, options, at);
  if (diagnostics.failed || !settingsWork(common, options, at.at('common_tls_context'))) return null;
  return new DownstreamTls(common, options, scope, server.clock);
}

/** Builds a cluster's (or a transport socket match's) transport; never null: without `socket` it is raw. */
export function createUpstreamTransport(
  socket: TransportSocket | undefined,
  server: ServerContext,
  scope: Scope,
  diagnostics: Diagnostics,
): UpstreamTransportSocketFactory {
  const raw = new RawUpstreamFactory(server.clock, server.timers);
  if (socket === undefined) return raw;
  const any = socket.configType.case === 'typedConfig' ? socket.configType.value : undefined;
  if (any === undefined) {
    if (socket.name !== 'envoy.transport_sockets.raw_buffer' && socket.name !== 'raw_buffer') {
      diagnostics.error('typed_config', 'is required');
    }
    return raw;
  }
  const type = typeNameOf(any);
  if (type === rawBufferType) return raw;
  const at = diagnostics.at('typed_config');
  if (type !== upstreamTlsType) {
    at.error('', `${type} is not an upstream transport socket that is supported yet`);
    return raw;
  }
  const context = unpackAny<UpstreamTlsContext>(any);
  const common = readCommonTls(context.commonTlsContext, 'client', server, at.at('common_tls_context'));
  if (common.certificates.length > 1) {
    at.error('common_tls_context', 'Multiple TLS certificates are not supported for client contexts');
  }
  if (context.autoSniSanValidation && common.validation === null && common.dynamicValidation === null) {
    at.error('auto_sni_san_validation', 'needs a validation context with a trusted CA');
  }
  if (context.sni.length > 255) at.error('sni', 'SNI names longer than 255 octets are not allowed');
  if (diagnostics.failed) return raw;
  try {
    return new UpstreamTls(
      common,
      {
        serverName: context.sni,
        autoHostSni: context.autoHostSni,
        autoSanValidation: context.autoSniSanValidation,
        maxSessionKeys: context.maxSessionKeys ?? 1,
      },
      scope,
      server.clock,
      server.timers,
    );
  } catch (error) {
    at.error('common_tls_context.tls_params', `is refused by the TLS library: ${(error as Error).message}`);
    return raw;
  }
}

// Settings are handed to the TLS library once with the first certificate that is there, so that nonsense is found at load.
function settingsWork(common: CommonTls, options: DownstreamTlsOptions, diagnostics: Diagnostics): boolean {
  const secret = common.certificates.find((source) => source.current !== null)?.current;
  if (secret === undefined || secret === null) return true;
  try {
    new HandshakeServer({
      settings: common.settings,
      identity: secret,
      alpn: null,
      requestClientCertificate: options.requireClientCertificate,
      sessionTickets: options.sessionTickets,
      sessionTimeoutSeconds: options.sessionTimeoutSeconds,
    });
    return true;
  } catch (error) {
    diagnostics.error('tls_params', `is refused by the TLS library: ${(error as Error).message}`);
    return false;
  }
}
