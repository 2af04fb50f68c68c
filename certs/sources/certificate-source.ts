import type { IssuedCertificate } from '../ca/issued-certificate.ts';

/** Told of every certificate of a source: the ones it has at its start, and each replacement. */
export interface CertificateSourceListener {
  /** `name` has a new current certificate, whose key is known to belong to it. */
  onCertificate(name: string, certificate: IssuedCertificate): void;
}

/** What can be told about one certificate of a source: nothing secret. */
export interface SourcedCertificateStatus {
  /** Name of the SDS secret. */
  readonly name: string;
  /** Kind of the source: `ca`, `files`, `acme`. */
  readonly source: string;
  /** `ok`, `waiting` (no certificate yet) or `failing` (the last attempt failed; an older certificate may be in use). */
  readonly state: 'ok' | 'waiting' | 'failing';
  /** Validity of the current certificate, ISO 8601; null without one. */
  readonly not_before: string | null;
  readonly not_after: string | null;
  readonly serial: string | null;
  /** When the next attempt (or renewal) is due, ISO 8601; null when nothing is planned. */
  readonly next_attempt: string | null;
  /** Why the last attempt failed; null when it did not. */
  readonly problem: string | null;
}

/**
 * Where certificates come from: the own authority, watched files, ACME. A source owns its timers, watches and retries; a
 * failure never takes the current certificate away.
 */
export interface CertificateSource {
  /** Kind of the source, for logs: `ca`, `files`, `acme`. */
  readonly kind: string;
  /** Names of the secrets it is to provide, whether or not they have a certificate yet. */
  names(): readonly string[];
  /** Current certificate with its key; null while there is none. */
  current(name: string): IssuedCertificate | null;
  /** Tells `listener` of what is there already, then goes on in the background. Throws when the source cannot work at all. */
  start(listener: CertificateSourceListener): Promise<void>;
  /** Asks for `name` anew, now. Throws when that fails or the name is unknown. */
  refresh(name: string): Promise<void>;
  status(): SourcedCertificateStatus[];
  /** Ends timers, watches and listening sockets. What is stored stays. */
  close(): Promise<void>;
}
