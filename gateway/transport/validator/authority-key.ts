import type { DerReader } from '#gateway/protocol/x509/der.ts';
import { DerTag } from '#gateway/protocol/x509/der.ts';
import { readGeneralNames } from './general-names.ts';

/** AuthorityKeyIdentifier: which of several issuers of one name signed. RFC 5280 section 4.2.1.1. */
export interface AuthorityKey {
  /** Hexadecimal, or null. */
  readonly keyId: string | null;
  /** Name (as DistinguishedName.key) of the issuer's own issuer, or null. */
  readonly issuerName: string | null;
  /** Serial number of the issuer's certificate in hexadecimal, or null. */
  readonly serial: string | null;
}

/** What an AuthorityKey is compared with. */
export interface KeyOwner {
  readonly subjectKeyId: string | null;
  /** DistinguishedName.key of its issuer. */
  readonly issuerKey: string;
  readonly serial: string;
}

/** Reads the extension's value. Throws DerError. */
export function readAuthorityKey(value: DerReader): AuthorityKey {
  const body = value.next(DerTag.Sequence).inside();
  value.end();
  let keyId: string | null = null;
  let issuerName: string | null = null;
  let serial: string | null = null;
  if (body.peekTag() === 0x80) keyId = body.next().hex();
  if (body.peekTag() === 0xa1) {
    const names = readGeneralNames(body.next().inside());
    issuerName = names.find((name) => name.directory !== null)?.directory?.key ?? null;
  }
  if (body.peekTag() === 0x82) serial = body.next().hex();
  body.end();
  return { keyId, issuerName, serial };
}

/** Whether `owner` may be the one that is meant; what either side leaves out matches. */
export function authorityKeyMatches(key: AuthorityKey | null, owner: KeyOwner): boolean {
  if (key === null) return true;
  if (key.keyId !== null && owner.subjectKeyId !== null && key.keyId !== owner.subjectKeyId) return false;
  if (key.serial !== null && key.serial !== owner.serial) return false;
  return key.issuerName === null || key.issuerName === owner.issuerKey;
}
