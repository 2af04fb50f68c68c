import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { DerReader, DerTag } from './der.ts';
import { distinguishedName } from './distinguished-name.ts';
import { type GeneralName, type GeneralNameKind, readGeneralNames } from './general-name.ts';

const controls = /[\x00-\x1f\x7f]/g;
const alternativeNameOid = '2.5.29.17';

/** What logs and headers say of one certificate. Read by our own DER reader, so every runtime says the same. */
export class CertificateFacts {
  readonly der: Uint8Array;
  /** Names as RFC 2253 has them. */
  readonly subject: string;
  readonly issuer: string;
  /** Lower-case hexadecimal, whole octets, without leading zero octets. */
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly names: readonly GeneralName[];
  #sha256 = '';
  #sha1 = '';
  #pem = '';

  /** Throws DerError when the octets are no certificate. */
  constructor(der: Uint8Array) {
    this.der = der;
    const body = new DerReader(der).next(DerTag.Sequence).inside().next(DerTag.Sequence).inside();
    if (body.peekTag() === 0xa0) body.next(); // version
    this.serial = serialText(body.next(DerTag.Integer).content());
    body.next(DerTag.Sequence); // signature algorithm
    this.issuer = distinguishedName(body.next(DerTag.Sequence).element());
    const validity = body.next(DerTag.Sequence).inside();
    this.notBeforeMs = validity.next().timeMs();
    this.notAfterMs = validity.next().timeMs();
    this.subject = distinguishedName(body.next(DerTag.Sequence).element());
    body.next(DerTag.Sequence); // public key
    this.names = readNames(body);
  }

  /** SHA-256 of the certificate, lower-case hexadecimal. */
  get sha256(): string {
    if (this.#sha256 === '') this.#sha256 = createHash('sha256').update(this.der).digest('hex');
    return this.#sha256;
  }

  /** SHA-1 of the certificate, lower-case hexadecimal. */
  get sha1(): string {
    if (this.#sha1 === '') this.#sha1 = createHash('sha1').update(this.der).digest('hex');
    return this.#sha1;
  }

  /** PEM with a line feed at its end, URL-encoded. */
  get encodedPem(): string {
    if (this.#pem === '') this.#pem = encodeURIComponent(pemOf(this.der));
    return this.#pem;
  }

  /** Alternative names of one kind in the certificate's order; control characters, which would end lines and fields, as `%XX`. */
  namesOf(kind: GeneralNameKind): string[] {
    const values: string[] = [];
    for (const name of this.names)
      if (name.kind === kind) values.push(name.value.replace(controls, encodeURIComponent));
    return values;
  }
}

function pemOf(der: Uint8Array): string {
  const base64 = Buffer.from(der).toString('base64');
  return `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`;
}

function serialText(octets: Uint8Array): string {
  let start = 0;
  while (start < octets.length && octets[start] === 0) start++;
  return start === octets.length ? '00' : Buffer.from(octets.subarray(start)).toString('hex');
}

function readNames(body: DerReader): readonly GeneralName[] {
  while (!body.done && body.peekTag() !== 0xa3) body.next();
  if (body.done) return [];
  const list = body.next(0xa3).inside().next(DerTag.Sequence).inside();
  while (!list.done) {
    const extension = list.next(DerTag.Sequence).inside();
    if (extension.next(DerTag.Oid).oid() !== alternativeNameOid) continue;
    if (extension.peekTag() === DerTag.Boolean) extension.next();
    return readGeneralNames(extension.next(DerTag.OctetString).inside().next(DerTag.Sequence).inside());
  }
  return [];
}
