import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { ServerContext } from '#gateway/api/context.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { headerValueText } from '#gateway/config/header-value.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import type {
  GrpcService,
  GrpcService_GoogleGrpc_ChannelArgs,
  GrpcService_GoogleGrpc_ChannelCredentials,
} from '#proto-types/envoy/config/core/v3/grpc_service_pb.ts';

/** Certificates of a channel, PEM. */
export interface GoogleGrpcTls {
  /** Null: the system's authorities. */
  readonly roots: Uint8Array | null;
  readonly key: Uint8Array | null;
  readonly chain: Uint8Array | null;
}

/** What a google_grpc service needs, read once. */
export interface GoogleGrpcTarget {
  /** `host:port`, `dns:...`, `unix:PATH`. */
  readonly targetUri: string;
  /** Part of `grpc.<prefix>.*`. */
  readonly statPrefix: string;
  /** Null: without TLS (no credentials, or local ones). */
  readonly tls: GoogleGrpcTls | null;
  /** Names and values in turn. */
  readonly initialMetadata: readonly string[];
  /** Of calls that name none, milliseconds; 0: none. */
  readonly timeoutMs: number;
  /** Settings of the channel, by the library's names. */
  readonly channelArgs: Readonly<Record<string, string | number>>;
}

/** The library's settings that mean what they mean in the C++ library that Envoy uses. */
const channelArgs: ReadonlySet<string> = new Set([
  'grpc.ssl_target_name_override',
  'grpc.default_authority',
  'grpc.primary_user_agent',
  'grpc.secondary_user_agent',
  'grpc.keepalive_time_ms',
  'grpc.keepalive_timeout_ms',
  'grpc.keepalive_permit_without_calls',
  'grpc.initial_reconnect_backoff_ms',
  'grpc.max_reconnect_backoff_ms',
  'grpc.max_send_message_length',
  'grpc.max_receive_message_length',
  'grpc.dns_min_time_between_resolutions_ms',
  'grpc.enable_retries',
  'grpc.enable_http_proxy',
]);

/** Reads the google_grpc part of a GrpcService; null, with the reason in `diagnostics`, when it cannot be used. */
export function readGoogleGrpc(
  config: GrpcService,
  server: Pick<ServerContext, 'readDataSource'>,
  diagnostics: Diagnostics,
): GoogleGrpcTarget | null {
  const specifier = config.targetSpecifier;
  if (specifier.case !== 'googleGrpc') return null;
  const before = diagnostics.errors.length;
  const at = diagnostics.at('google_grpc');
  const { targetUri, statPrefix, channelCredentials, callCredentials } = specifier.value;
  const tls = readCredentials(channelCredentials, server, at.at('channel_credentials'));
  const metadata = config.initialMetadata.flatMap((header) => [header.key.toLowerCase(), headerValueText(header)]);
  callCredentials.forEach((one, i) => {
    const found = one.credentialSpecifier;
    if (found.case !== 'accessToken') at.error(`call_credentials[${i}].${found.case ?? ''}`, 'is not supported yet');
    else if (tls === null) at.error(`call_credentials[${i}]`, 'a token is sent over TLS only');
    else metadata.push('authorization', `Bearer ${found.value}`);
  });
  const target: GoogleGrpcTarget = {
    targetUri,
    statPrefix,
    tls,
    initialMetadata: metadata,
    timeoutMs: durationMs(config.timeout, 0),
    channelArgs: readChannelArgs(specifier.value.channelArgs, at.at('channel_args')),
  };
  return diagnostics.errors.length > before ? null : target;
}

function readCredentials(
  message: GrpcService_GoogleGrpc_ChannelCredentials | undefined,
  server: Pick<ServerContext, 'readDataSource'>,
  diagnostics: Diagnostics,
): GoogleGrpcTls | null {
  const credentials = message?.credentialSpecifier;
  if (credentials?.case === 'googleDefault') diagnostics.error('google_default', 'is not supported yet');
  // None at all, or `localCredentials`: plain text, which Envoy allows on this host only.
  if (credentials?.case !== 'sslCredentials') return null;
  const { rootCerts, privateKey, certChain } = credentials.value;
  const ssl = diagnostics.at('ssl_credentials');
  const read = (source: typeof rootCerts, field: string): Uint8Array | null =>
    source === undefined ? null : server.readDataSource(source, ssl.at(field));
  const tls = {
    roots: read(rootCerts, 'root_certs'),
    key: read(privateKey, 'private_key'),
    chain: read(certChain, 'cert_chain'),
  };
  if ((tls.key === null) !== (tls.chain === null)) ssl.error('', 'private_key and cert_chain need each other');
  else if (tls.key !== null && tls.chain !== null && !belongTogether(tls.key, tls.chain)) {
    ssl.error('private_key', 'cannot be read, or does not belong to cert_chain');
  }
  return tls;
}

function belongTogether(key: Uint8Array, chain: Uint8Array): boolean {
  try {
    return new X509Certificate(chain).checkPrivateKey(createPrivateKey(new TextDecoder().decode(key)));
  } catch {
    return false;
  }
}

function readChannelArgs(
  message: GrpcService_GoogleGrpc_ChannelArgs | undefined,
  diagnostics: Diagnostics,
): Record<string, string | number> {
  const read: Record<string, string | number> = {};
  for (const [name, { valueSpecifier }] of Object.entries(message?.args ?? {})) {
    if (!channelArgs.has(name)) diagnostics.error(`args["${name}"]`, 'this channel argument is not supported yet');
    else if (valueSpecifier.case === 'intValue') read[name] = Number(valueSpecifier.value);
    else if (valueSpecifier.case === 'stringValue') read[name] = valueSpecifier.value;
  }
  return read;
}
