import { type MadeCertificate, type MadeOptions, make } from '#test/support/made-certificates.ts';

/** A CertificateValidationContext in JSON. */
export type Policy = Readonly<Record<string, unknown>>;

/** One line of the table: who comes, and what is asked. */
export interface MtlsCase {
  readonly name: string;
  /** Null: no validation context at all. */
  readonly policy: Policy | null;
  readonly required?: boolean;
  /** What the client sends, leaf first; its key is the first one's. Empty: no certificate. */
  readonly chain: readonly MadeCertificate[];
}

const pems = (...list: readonly MadeCertificate[]): string => list.map((certificate) => certificate.pem).join('');
/** Trusts these. */
export const trusting = (...list: readonly MadeCertificate[]): Policy => ({
  trusted_ca: { inline_string: pems(...list) },
});

/** The authority that most rules trust. */
export const root: MadeCertificate = make({ name: 'root', ca: true });
/** An intermediate of the root. */
export const mid: MadeCertificate = make({ name: 'mid', ca: true, issuer: root });
/** An intermediate below `mid`. */
export const low: MadeCertificate = make({ name: 'low', ca: true, issuer: mid });
/** An authority that nobody trusts. */
export const other: MadeCertificate = make({ name: 'other root', ca: true });
/** A leaf. */
export const leafOf = (issuer: MadeCertificate, more: Partial<MadeOptions> = {}): MadeCertificate =>
  make({ name: 'leaf', issuer, ...more });
/** An authority. */
export const caOf = (issuer: MadeCertificate, more: Partial<MadeOptions> = {}): MadeCertificate =>
  make({ name: 'made ca', ca: true, issuer, ...more });

/** A leaf of the root. */
export const direct: MadeCertificate = leafOf(root);
/** A leaf of `mid`. */
export const viaMid: MadeCertificate = leafOf(mid);
/** A leaf of `low`. */
export const viaLow: MadeCertificate = leafOf(low);
/** Nobody's leaf. */
export const selfSigned: MadeCertificate = make({ name: 'self' });
/** One line of the table. */
export const line = (name: string, policy: Policy | null, ...chain: readonly MadeCertificate[]): MtlsCase => ({
  name,
  policy,
  chain,
});
/** Trusts the root, and asks nothing more. */
export const byRoot: Policy = trusting(root);
/** The same twice more: listeners of their own for what counts otherwise than at Envoy, everywhere and on some runtimes. */
export const apart: Policy = { ...byRoot, max_verify_depth: 99 };
/** The same for what the TLS libraries of Bun and Deno turn away themselves, with words and counters of their own. */
export const lone: Policy = { ...byRoot, max_verify_depth: 98 };

/** A leaf under an intermediate of the root that is made so. */
export function under(
  name: string,
  more: Partial<MadeOptions>,
  leaf: Partial<MadeOptions> = {},
  policy: Policy = byRoot,
): MtlsCase {
  const authority = caOf(root, more);
  return line(name, policy, leafOf(authority, leaf), authority);
}

/** The server's own certificate. */
export const serverCertificate: MadeCertificate = make({
  name: 'server.test',
  sans: ['dns:server.test'],
  usages: ['digitalSignature'],
});
