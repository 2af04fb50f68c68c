/** What a finding does: `refuse` keeps the secret from coming into force, `warn` is logged and shown. */
export type Severity = 'refuse' | 'warn';

/** What a finding is about. @see rehearsalRules */
export type RuleCode =
  | 'pem-empty'
  | 'pem-der'
  | 'pem-truncated'
  | 'pem-large'
  | 'certificate-malformed'
  | 'key-malformed'
  | 'key-mismatch'
  | 'key-weak'
  | 'expired'
  | 'not-yet-valid'
  | 'ends-sooner'
  | 'chain-signature'
  | 'chain-shorter'
  | 'chain-expired'
  | 'chain-not-ca'
  | 'chain-order'
  | 'leaf-is-ca'
  | 'names-none'
  | 'names-lost'
  | 'sni-lost'
  | 'usage-server'
  | 'usage-client'
  | 'staple-missing'
  | 'handshake'
  | 'handshake-slow'
  | 'ca-expired'
  | 'ca-some-expired'
  | 'ca-not-ca'
  | 'ca-lost';

/** One rule of the rehearsal. */
export interface RehearsalRule {
  /** For a secret that comes first, when there is nothing that could go on serving. */
  readonly first: Severity;
  /** For one that replaces another, whose certificate did not have the same fault. */
  readonly rotation: Severity;
  /** Files that are being replaced look like this for a moment: in files it is waited out before it is told. */
  readonly passing: boolean;
  /** One line for the documentation. */
  readonly text: string;
}

/**
 * All rules by code. What Envoy takes and people do on purpose (an expired certificate in a laboratory, a name that goes) is
 * never refused at start; what is certain to break clients that are served well now is refused in a rotation.
 */
export const rehearsalRules: Readonly<Record<RuleCode, RehearsalRule>> = {
  'pem-empty': passing('refuse', 'refuse', 'holds no certificate at all'),
  'pem-der': rule('refuse', 'refuse', 'is DER where PEM is read'),
  'pem-truncated': passing('refuse', 'refuse', 'a block has a beginning and no end: half a file'),
  'pem-large': rule('refuse', 'refuse', 'is larger than 1 MiB'),
  'certificate-malformed': passing('refuse', 'refuse', 'a certificate cannot be parsed'),
  'key-malformed': passing(
    'refuse',
    'refuse',
    'the private key cannot be parsed (or is encrypted, without a password)',
  ),
  'key-mismatch': passing('refuse', 'refuse', 'the private key does not belong to the first certificate'),
  'key-weak': rule('refuse', 'refuse', 'an RSA key has fewer than 2048 bits, which Envoy refuses too'),
  expired: rule('warn', 'refuse', 'the certificate has expired'),
  'not-yet-valid': rule('warn', 'refuse', 'the certificate is not valid yet'),
  'ends-sooner': rule('warn', 'warn', 'it expires before the one that it replaces'),
  'chain-signature': passing('warn', 'refuse', 'an intermediate has the name of the issuer, but did not sign'),
  'chain-shorter': passing(
    'warn',
    'refuse',
    'an intermediate is missing that the replaced chain had for the same issuer',
  ),
  'chain-expired': rule('warn', 'refuse', 'an intermediate has expired or is not valid yet'),
  'chain-not-ca': rule('warn', 'refuse', 'an intermediate is no certificate authority'),
  'chain-order': rule('warn', 'warn', 'intermediates are not in the order of issuers, or do not belong to the chain'),
  'leaf-is-ca': rule('warn', 'warn', 'the first certificate is an authority, not that of a server or client'),
  'names-none': rule('warn', 'warn', 'there is no subject alternative name: clients ignore the common name'),
  'names-lost': rule('warn', 'warn', 'a name is gone that the replaced certificate had'),
  'sni-lost': rule(
    'warn',
    'refuse',
    "a filter chain's server_names has a name that only the replaced certificate covered",
  ),
  'usage-server': rule('warn', 'refuse', 'a listener uses it, and its extended key usage has no serverAuth'),
  'usage-client': rule('warn', 'refuse', 'a cluster uses it, and its extended key usage has no clientAuth'),
  'staple-missing': rule('refuse', 'refuse', 'a listener uses it, it asks for an OCSP staple and has none'),
  handshake: rule('refuse', 'refuse', 'the handshake in memory fails, or shows another certificate'),
  'handshake-slow': rule('warn', 'warn', 'the handshake in memory did not end in two seconds'),
  'ca-expired': rule(
    'warn',
    'refuse',
    'every authority of the bundle has expired, and not all of the replaced one had',
  ),
  'ca-some-expired': rule('warn', 'warn', 'an authority of the bundle has expired'),
  'ca-not-ca': rule('warn', 'warn', 'a certificate of the bundle is no authority'),
  'ca-lost': rule('warn', 'warn', 'an authority is gone that the replaced bundle had: its clients are turned away'),
};

/** Something that the rehearsal found. */
export interface Finding {
  readonly code: RuleCode;
  readonly severity: Severity;
  /** One sentence with names and dates, without a full stop; never key material. */
  readonly detail: string;
}

function rule(first: Severity, rotation: Severity, text: string): RehearsalRule {
  return { first, rotation, passing: false, text };
}

function passing(first: Severity, rotation: Severity, text: string): RehearsalRule {
  return { first, rotation, passing: true, text };
}

/** Gathers findings of one rehearsal. */
export class Findings {
  readonly list: Finding[] = [];
  readonly #rotation: boolean;

  constructor(rotation: boolean) {
    this.#rotation = rotation;
  }

  /** Notes one. `sameBefore`: what is in force has the same fault, so that going on is no worse than staying. */
  add(code: RuleCode, detail: string, sameBefore = false): void {
    const { first, rotation } = rehearsalRules[code];
    this.list.push({ code, severity: this.#rotation && !sameBefore ? rotation : first, detail });
  }

  /** Why it is refused, or ''. */
  get refusal(): string {
    return refusalOf(this.list);
  }
}

/** Why a secret with these findings is refused; '' when it is not. */
export function refusalOf(findings: readonly Finding[]): string {
  return findings
    .filter(({ severity }) => severity === 'refuse')
    .map(({ detail }) => detail)
    .join('; ');
}

/** Whether a refusal is for something that may pass by itself, because files are being written. */
export function mayPass(findings: readonly Finding[]): boolean {
  return findings.some(({ code, severity }) => severity === 'refuse' && rehearsalRules[code].passing);
}
