/** One stretch of load. */
export interface ConnectionWindow {
  readonly port: number;
  readonly seconds: number;
  /** How many connections are open or being opened at any time. */
  readonly connections: number;
  /** The only kind of signature that the client takes, hence the certificate that it is given. */
  readonly key: 'ecdsa' | 'rsa';
  /** Whether each connection offers the session of the one before it. */
  readonly resume: boolean;
}

/** What came of it. */
export interface WindowResult {
  /** Connections with the right answer. */
  readonly answered: number;
  readonly failed: number;
  /** Handshakes that resumed a session. */
  readonly resumed: number;
  readonly problem: string;
  /** Version, cipher and kind of certificate of a full handshake. */
  readonly protocol: string;
}

/** Why a window does not count, or null: wrong answers, another certificate, or resumption where it was not wanted. */
export function problemOf(window: ConnectionWindow, result: WindowResult): string | null {
  const { answered, failed, resumed, protocol } = result;
  if (answered === 0 || failed > 0) return `${answered} answered, ${failed} failed: ${result.problem}`;
  if (protocol !== '' && !protocol.startsWith('TLSv1.3')) return `not TLS 1.3: ${protocol}`;
  if (protocol !== '' && !protocol.endsWith(window.key)) return `another certificate: ${protocol}`;
  if (!window.resume && resumed > 0) return `${resumed} handshakes were resumed`;
  // Each of the chains of connections begins with a full handshake.
  if (window.resume && resumed < answered - 2 * window.connections)
    return `only ${resumed} of ${answered} were resumed`;
  return null;
}
