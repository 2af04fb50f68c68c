import { printable } from '#gateway/base/printable.ts';
import { CertificateError } from '../ca/issued-certificate.ts';

/**
 * What went wrong, as far as the next step depends on it. `rate_limited`: the authority wants less; `challenge`: a name was
 * not proven; `refused`: the authority says no and a repetition alone will not help; `unreachable`: no usable answer;
 * `settings`: the operator has to act; `storage`: disk or Redis; `aborted`: this process is ending or lost its lock.
 */
export type AcmeFailureKind =
  | 'rate_limited'
  | 'challenge'
  | 'refused'
  | 'unreachable'
  | 'settings'
  | 'storage'
  | 'aborted';

/** Failures after which an order is gone on with. */
export const interruptions: ReadonlySet<AcmeFailureKind> = new Set([
  'unreachable',
  'storage',
  'aborted',
  'rate_limited',
]);

/** A problem document, or a part of one. RFC 8555 section 6.7, RFC 7807. */
export interface AcmeProblemDocument {
  readonly type?: string;
  readonly detail?: string;
  readonly identifier?: { readonly type?: string; readonly value?: string };
  readonly subproblems?: readonly AcmeProblemDocument[];
}

/** A failed step with ACME. The message names what failed and the way out, and nothing secret. */
export class AcmeError extends CertificateError {
  override readonly name: string = 'AcmeError';
  readonly kind: AcmeFailureKind;
  /** Last word of the problem's URN, for example `rateLimited`; '' without a problem document. */
  readonly problem: string;
  /** How long the authority wants to be left alone, milliseconds; null when it did not say. */
  readonly retryAfterMs: number | null;

  constructor(
    kind: AcmeFailureKind,
    message: string,
    more: { problem?: string; retryAfterMs?: number | null; cause?: unknown } = {},
  ) {
    super(message);
    if (more.cause !== undefined) this.cause = more.cause;
    this.kind = kind;
    this.problem = more.problem ?? '';
    this.retryAfterMs = more.retryAfterMs ?? null;
  }

  /** The same failure, said about something: `order 'edge' (a.test): ...`. */
  about(subject: string): AcmeError {
    return new AcmeError(this.kind, `${subject}: ${this.message}`, {
      problem: this.problem,
      retryAfterMs: this.retryAfterMs,
      cause: this.cause ?? this,
    });
  }
}

/** Whatever was thrown as an {@link AcmeError}. */
export function asAcmeError(error: unknown, kind: AcmeFailureKind = 'unreachable'): AcmeError {
  if (error instanceof AcmeError) return error;
  return new AcmeError(kind, printable(error instanceof Error ? error.message : String(error)), { cause: error });
}

const urn = 'urn:ietf:params:acme:error:';

const waysOut: Readonly<Record<string, string>> = {
  rateLimited: 'nothing is asked again before the time it named; use the staging directory for trials',
  externalAccountRequired: 'give --eab-kid and --eab-hmac-file with what the authority handed out',
  accountDoesNotExist: 'register again: sluice certs acme register --agree-tos',
  userActionRequired: 'the terms of service changed: read them, then sluice certs acme register --agree-tos',
  unauthorized: 'check that the challenge is answered under this name',
  connection: 'check that the name leads to this gateway and that its port is open',
  dns: 'check the DNS records of the name',
  caa: 'let the authority issue in the CAA record of the name',
  incorrectResponse: 'check that the route (or filter chain) of the challenge leads to certs/',
  tls: 'check that the filter chain with application_protocols [acme-tls/1] leads to certs/',
  rejectedIdentifier: 'the authority does not issue for this name',
  unsupportedIdentifier: 'the authority does not issue for this kind of name',
  badPublicKey: 'choose another --key-type',
  badCSR: 'choose another --key-type',
  invalidContact: 'give another --email',
  unsupportedContact: 'give another --email',
};

const challengeProblems = new Set(['unauthorized', 'connection', 'dns', 'caa', 'incorrectResponse', 'tls']);

/** Last word of a problem's type. */
export function problemName(document: AcmeProblemDocument): string {
  const type = document.type ?? '';
  return type.startsWith(urn) ? type.slice(urn.length) : '';
}

/** A problem in one line: `connection: detail (a.test: detail) - way out`. */
export function describeProblem(document: AcmeProblemDocument): string {
  const name = problemName(document);
  const parts = (document.subproblems ?? []).map(
    (part) => `${part.identifier?.value ?? '?'}: ${problemName(part)} ${part.detail ?? ''}`,
  );
  const said = `${name === '' ? 'problem' : name}: ${document.detail ?? 'no detail'}`;
  const wayOut = waysOut[name];
  return printable(
    `${said}${parts.length === 0 ? '' : ` (${parts.join('; ')})`}${wayOut === undefined ? '' : ` - ${wayOut}`}`,
  );
}

/** The error that an answer with a problem document is. `status` is the HTTP status. */
export function problemError(
  action: string,
  status: number,
  document: AcmeProblemDocument,
  retryAfterMs: number | null,
): AcmeError {
  const problem = problemName(document);
  const message = `${action}: HTTP ${status}, ${describeProblem(document)}`;
  const more = { problem, retryAfterMs };
  if (problem === 'rateLimited' || status === 429) return new AcmeError('rate_limited', message, more);
  if (problem === 'externalAccountRequired' || problem === 'userActionRequired' || problem === 'accountDoesNotExist')
    return new AcmeError('settings', message, more);
  if (challengeProblems.has(problem) && status < 500) return new AcmeError('challenge', message, more);
  if (problem === 'badNonce' || problem === 'serverInternal' || status >= 500)
    return new AcmeError('unreachable', message, more);
  return new AcmeError('refused', message, more);
}
