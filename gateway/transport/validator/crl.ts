import { Buffer } from 'node:buffer';
import { createHash, type KeyObject, verify } from 'node:crypto';
import { DerError, DerReader, DerTag } from '#gateway/protocol/x509/der.ts';
import { type AuthorityKey, readAuthorityKey } from './authority-key.ts';
import { readName } from './distinguished-name.ts';
import { readPointName } from './distribution-point.ts';
import { signatureDigest } from './signature-algorithm.ts';

/** IssuingDistributionPoint: what a CRL is about. RFC 5280 section 5.2.5. */
export interface CrlScope {
  /** Keys of its names, as in GeneralName; null when it has none. */
  readonly names: readonly string[] | null;
  readonly onlyUsers: boolean;
  readonly onlyAuthorities: boolean;
  readonly onlyAttributes: boolean;
  /** It speaks for other issuers or for some reasons only: such lists are not looked at. */
  readonly partial: boolean;
}

/**
 * One certificate revocation list (RFC 5280 section 5), read by our own DER reader; serial numbers are indexed when it is read.
 * Throws DerError for octets that are no CRL.
 */
export class Crl {
  readonly der: Uint8Array;
  readonly issuerKey: string;
  readonly lastUpdateMs: number;
  /** Infinity: it names no end. */
  readonly nextUpdateMs: number;
  readonly authorityKey: AuthorityKey | null;
  /** Null: everything that its issuer issued. */
  readonly scope: CrlScope | null;
  /** A critical extension of the list or of an entry that nobody here understands. */
  readonly unknownCritical: boolean;
  /** SHA-256 in lower-case hexadecimal. */
  readonly fingerprint: string;
  readonly #revoked = new Set<string>();
  readonly #signed: Uint8Array;
  readonly #signature: Uint8Array;
  readonly #digest: string | null;

  constructor(der: Uint8Array) {
    this.der = der;
    this.fingerprint = createHash('sha256').update(der).digest('hex');
    const whole = new DerReader(der);
    const outer = whole.next(DerTag.Sequence).inside();
    whole.end();
    const list = outer.next(DerTag.Sequence).inside();
    this.#signed = outer.element();
    const outerAlgorithm = outer.next(DerTag.Sequence).element();
    const signature = outer.next(DerTag.BitString).content();
    if (signature[0] !== 0) throw new DerError('signature of odd length');
    this.#signature = signature.subarray(1);
    outer.end();

    let version2 = false;
    if (list.peekTag() === DerTag.Integer) {
      if (list.next().integer() !== 1) throw new DerError('unknown version');
      version2 = true;
    }
    const algorithm = list.next(DerTag.Sequence).element();
    this.#digest = Buffer.compare(algorithm, outerAlgorithm) === 0 ? signatureDigest(new DerReader(algorithm)) : null;
    const issuer = readName(list);
    this.issuerKey = issuer.key;
    this.lastUpdateMs = list.next().timeMs();
    const next = list.peekTag();
    this.nextUpdateMs =
      next === DerTag.UtcTime || next === DerTag.GeneralizedTime ? list.next().timeMs() : Number.POSITIVE_INFINITY;
    let unknownCritical = false;
    if (list.peekTag() === DerTag.Sequence) {
      const entries = list.next().inside();
      while (!entries.done) unknownCritical = this.#readEntry(entries, version2) || unknownCritical;
    }
    let authorityKey: AuthorityKey | null = null;
    let scope: CrlScope | null = null;
    if (!list.done) {
      if (!version2) throw new DerError('extensions in version 1');
      const extensions = list.next(0xa0).inside().next(DerTag.Sequence).inside();
      if (extensions.done) throw new DerError('no extensions');
      while (!extensions.done) {
        const extension = readExtension(extensions);
        if (extension.oid === '2.5.29.28') scope = readScope(extension.value, issuer.parts);
        else if (extension.oid === '2.5.29.35') authorityKey = readAuthorityKey(extension.value);
        else unknownCritical ||= extension.critical;
      }
      list.end();
    }
    this.unknownCritical = unknownCritical;
    this.authorityKey = authorityKey;
    this.scope = scope;
  }

  /** How many certificates it names. */
  get size(): number {
    return this.#revoked.size;
  }

  /** Whether it names the certificate of this serial number (hexadecimal of the INTEGER's content). */
  revokes(serial: string): boolean {
    return this.#revoked.has(serial);
  }

  /** Whether `key` made the signature. */
  signedBy(key: KeyObject): boolean {
    if (this.#digest === null) return false;
    try {
      return verify(this.#digest === '' ? null : this.#digest, this.#signed, key, this.#signature);
    } catch {
      return false; // a key or algorithm that the runtime does not know
    }
  }

  // Answers whether the entry has a critical extension: none is understood.
  #readEntry(entries: DerReader, version2: boolean): boolean {
    const entry = entries.next(DerTag.Sequence).inside();
    this.#revoked.add(entry.next(DerTag.Integer).hex());
    entry.next().timeMs();
    if (entry.done) return false;
    if (!version2) throw new DerError('extensions in version 1');
    const extensions = entry.next(DerTag.Sequence).inside();
    entry.end();
    if (extensions.done) throw new DerError('no extensions');
    let critical = false;
    while (!extensions.done) critical = readExtension(extensions).critical || critical;
    return critical;
  }
}

function readExtension(list: DerReader): { oid: string; critical: boolean; value: DerReader } {
  const extension = list.next(DerTag.Sequence).inside();
  const oid = extension.next(DerTag.Oid).oid();
  const critical = extension.peekTag() === DerTag.Boolean && extension.next().boolean();
  const value = extension.next(DerTag.OctetString).inside();
  extension.end();
  return { oid, critical, value };
}

function readScope(value: DerReader, issuerParts: readonly string[]): CrlScope {
  const body = value.next(DerTag.Sequence).inside();
  value.end();
  let names: readonly string[] | null = null;
  const flags = { onlyUsers: false, onlyAuthorities: false, onlyAttributes: false, partial: false };
  if (body.peekTag() === 0xa0) names = readPointName(body.next().inside(), issuerParts);
  if (body.peekTag() === 0x81) flags.onlyUsers = body.next().boolean();
  if (body.peekTag() === 0x82) flags.onlyAuthorities = body.next().boolean();
  if (body.peekTag() === 0x83) {
    body.next();
    flags.partial = true;
  }
  if (body.peekTag() === 0x84 && body.next().boolean()) flags.partial = true;
  if (body.peekTag() === 0x85) flags.onlyAttributes = body.next().boolean();
  body.end();
  const kinds = Number(flags.onlyUsers) + Number(flags.onlyAuthorities) + Number(flags.onlyAttributes);
  return { names, ...flags, partial: flags.partial || kinds > 1 };
}

/** The CRLs of a PEM text, in its order, each once. Throws DerError when one of them is malformed. */
export function parseCrls(pem: string): Crl[] {
  const crls = new Map<string, Crl>();
  for (const block of pem.matchAll(/-----BEGIN X509 CRL-----([\s\S]*?)-----END X509 CRL-----/g)) {
    const crl = new Crl(new Uint8Array(Buffer.from(block[1]!, 'base64')));
    crls.set(crl.fingerprint, crl);
  }
  return [...crls.values()];
}
