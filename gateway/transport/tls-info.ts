import type { TLSSocket } from 'node:tls';
import type { TlsInfo } from '#gateway/api/connection.ts';

/** What a finished handshake agreed on. `serverName` is the SNI of our own ClientHello parse or of our configuration. */
export function tlsInfoOf(
  socket: TLSSocket,
  serverName: string,
  peerCertificate: Uint8Array | null,
  peerValidated: boolean,
): TlsInfo {
  const alpn = socket.alpnProtocol;
  return {
    version: socket.getProtocol() ?? '',
    cipher: socket.getCipher()?.name ?? '',
    alpn: typeof alpn === 'string' ? alpn : '',
    serverName,
    sessionId: '',
    peerCertificate,
    peerValidated,
  };
}
