import { Buffer } from 'node:buffer';
import type { TlsInfo } from '#gateway/api/connection.ts';
import { DerReader, DerTag } from '#gateway/protocol/x509/der.ts';
import type { SecureSocket } from '#gateway/runtime/byte-socket.ts';

/** What our side knows of a handshake before it is judged. */
export interface HandshakeFacts {
  /** The SNI of our own ClientHello parse or of our configuration. */
  readonly serverName: string;
  /** The certificates that the peer sent, leaf first, in DER. */
  readonly peerChain: readonly Uint8Array[];
  /** The certificate that verified the leaf's signature, in DER, or null. */
  readonly peerIssuer: Uint8Array | null;
  /** Our own leaf certificate in DER, or null. */
  readonly localCertificate: Uint8Array | null;
}

/** What a finished handshake agreed on. */
export function tlsInfoOf(socket: SecureSocket, facts: HandshakeFacts, peerValidated: boolean): TlsInfo {
  const alpn = socket.alpnProtocol;
  const version = socket.getProtocol() ?? '';
  return {
    version,
    cipher: socket.getCipher()?.name ?? '',
    alpn: typeof alpn === 'string' ? alpn : '',
    serverName: facts.serverName,
    sessionId: version === 'TLSv1.2' ? sessionIdOf(socket) : '',
    peerCertificate: facts.peerChain[0] ?? null,
    peerChain: facts.peerChain,
    peerIssuer: facts.peerIssuer,
    localCertificate: facts.localCertificate,
    peerValidated,
  };
}

/** What is known of a handshake that failed before it was done; `socket` is null when the runtime shows none. */
export function failedTlsInfo(socket: SecureSocket | null, version: string, facts: HandshakeFacts): TlsInfo {
  return {
    version,
    cipher: socket?.getCipher()?.name ?? '',
    alpn: '',
    serverName: facts.serverName,
    sessionId: '',
    peerCertificate: facts.peerChain[0] ?? null,
    peerChain: facts.peerChain,
    peerIssuer: facts.peerIssuer,
    localCertificate: facts.localCertificate,
    peerValidated: false,
  };
}

/** The identifier inside the DER that runtimes show of a session; '' where they show none. */
function sessionIdOf(socket: SecureSocket): string {
  const session = socket.getSession();
  if (session === undefined || session === null) return '';
  try {
    const fields = new DerReader(session).next(DerTag.Sequence).inside();
    fields.next(DerTag.Integer); // structure version
    fields.next(DerTag.Integer); // protocol version
    fields.next(DerTag.OctetString); // cipher suite
    return Buffer.from(fields.next(DerTag.OctetString).content()).toString('hex');
  } catch {
    return ''; // not the form that OpenSSL and BoringSSL write
  }
}
