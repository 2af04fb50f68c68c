import { runtimeName } from './runtime-name.ts';

/** Which TLS settings this runtime really honours; a probe test makes a handshake for each row. */
export interface TlsCapabilities {
  /** TLS 1.2 cipher suites by OpenSSL name. (No runtime lets TLS 1.3 suites be chosen.) */
  readonly cipherSuites: boolean;
  readonly ecdhCurves: boolean;
  readonly signatureAlgorithms: boolean;
  /** Whether a client's session can be taken from one connection and offered on the next. */
  readonly clientSessions: boolean;
}

const all: Readonly<Record<typeof runtimeName, TlsCapabilities>> = {
  bun: {
    cipherSuites: true,
    ecdhCurves: true,
    signatureAlgorithms: true,
    clientSessions: true,
  },
  node: {
    cipherSuites: true,
    ecdhCurves: true,
    signatureAlgorithms: true,
    clientSessions: true,
  },
  deno: {
    cipherSuites: false,
    ecdhCurves: false,
    signatureAlgorithms: false,
    clientSessions: false,
  },
};

/** @see TlsCapabilities */
export const tlsCapabilities: TlsCapabilities = all[runtimeName];
