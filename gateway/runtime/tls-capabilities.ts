import process from 'node:process';
import { type RuntimeName, runtimeName } from './runtime-name.ts';

/** One thing that TLS may be asked for, and which runtimes really do it. A probe test makes a handshake for each row. */
interface TlsCapabilityRow extends Readonly<Record<RuntimeName, boolean>> {
  /** Completes "Deno cannot ...". */
  readonly what: string;
}

/** A row of the table. */
export type TlsCapability =
  | 'cipherSuites'
  | 'cipherSuiteGroups'
  | 'clientCipherOrder'
  | 'ecdhCurves'
  | 'postQuantumCurves'
  | 'signatureAlgorithms'
  | 'sessionTicketsOff'
  | 'sessionTimeout'
  | 'sessionTicketKeys'
  | 'ocspStapling'
  | 'keyLog'
  | 'clientSessions'
  | 'sessionIdentifiers'
  | 'unknownCriticalExtensions'
  | 'severalCertificates'
  | 'alpnWithoutOverlap';

/** Since 3.5 OpenSSL knows the hybrid group; Node 22 is built with an older one. */
const opensslHasMlKem = Number.parseFloat(process.versions.openssl ?? '0') >= 3.5;

const rows: Readonly<Record<TlsCapability, TlsCapabilityRow>> = {
  /** cipher_suites of TLS 1.2. (Nothing lets the suites of TLS 1.3 be chosen, as with Envoy.) */
  cipherSuites: { what: 'restrict the cipher suites', bun: true, deno: false, node: true },
  /** `[A|B]`: the client chooses among equals. Where that is not so the order of the list decides. */
  cipherSuiteGroups: { what: 'treat cipher suites as equals', bun: true, deno: false, node: false },
  /** prefer_client_ciphers. Deno does nothing else. */
  clientCipherOrder: { what: "prefer the client's order of cipher suites", bun: true, deno: true, node: true },
  ecdhCurves: { what: 'restrict the curves', bun: true, deno: false, node: true },
  /** ecdh_curves may name X25519MLKEM768. */
  postQuantumCurves: { what: 'use X25519MLKEM768 alone', bun: true, deno: false, node: opensslHasMlKem },
  signatureAlgorithms: { what: 'restrict the signature algorithms', bun: true, deno: false, node: true },
  /** disable_stateless_session_resumption. (No runtime's server keeps sessions itself.) */
  sessionTicketsOff: { what: 'refuse to resume sessions', bun: true, deno: false, node: true },
  /** session_timeout. Deno's tickets live for twelve hours. */
  sessionTimeout: { what: 'bound the age of resumed sessions', bun: true, deno: false, node: true },
  /** session_ticket_keys. */
  sessionTicketKeys: { what: 'use session ticket keys that it is given', bun: false, deno: false, node: true },
  ocspStapling: { what: 'staple OCSP responses', bun: false, deno: false, node: true },
  keyLog: { what: 'log TLS secrets', bun: true, deno: false, node: true },
  /** A client's session can be taken from one connection and offered on the next. */
  clientSessions: { what: 'resume sessions with upstream servers', bun: true, deno: true, node: true },
  /** %DOWNSTREAM_TLS_SESSION_ID%, %UPSTREAM_TLS_SESSION_ID%. */
  sessionIdentifiers: { what: 'tell the identifier of a TLS session', bun: true, deno: false, node: true },
  /** A server can show a certificate with a critical extension that the library does not know (ACME's tls-alpn-01). */
  unknownCriticalExtensions: {
    what: 'serve a certificate with a critical extension that it does not know',
    bun: true,
    deno: false,
    node: true,
  },
  /** Several certificates in one server, the client's abilities choosing. Ours are servers of their own: see choose-identity. */
  severalCertificates: { what: 'hold several certificates in one server', bun: true, deno: false, node: true },
  /** With ALPN protocols that do not overlap the handshake goes on, as in Envoy. Ours offers the one protocol that does, or none. */
  alpnWithoutOverlap: { what: 'go on when no application protocol is shared', bun: false, deno: false, node: false },
};

const names: Readonly<Record<RuntimeName, string>> = { bun: 'Bun', deno: 'Deno', node: 'Node' };

/** Which TLS settings this runtime really honours. What it does not honour is refused when a configuration asks for it. */
export const tlsCapabilities: Readonly<Record<TlsCapability, boolean>> = Object.fromEntries(
  Object.entries(rows).map(([name, row]) => [name, row[runtimeName]]),
) as Record<TlsCapability, boolean>;

/** Why a setting is refused here, with the way out: "Deno cannot staple OCSP responses; remove the field or run on Node". */
export function tlsCannot(capability: TlsCapability): string {
  const row = rows[capability];
  const able = (['bun', 'node', 'deno'] as const).filter((name) => row[name]).map((name) => names[name]);
  const elsewhere = able.length === 0 ? '' : ` or run on ${able.join(' or ')}`;
  return `${names[runtimeName]} cannot ${row.what}; remove the field${elsewhere}`;
}
