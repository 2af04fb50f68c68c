import type { Certificate } from './certificate.ts';
import type { Crl } from './crl.ts';

/** Trust anchors by subject and CRLs by issuer: the index that is made when a configuration is loaded. */
export class TrustStore {
  readonly anchors: readonly Certificate[];
  readonly #bySubject = new Map<string, Certificate[]>();
  readonly #fingerprints = new Set<string>();
  readonly #crls = new Map<string, Crl[]>();

  constructor(anchors: readonly Certificate[], crls: readonly Crl[]) {
    this.anchors = anchors;
    for (const anchor of anchors) {
      if (this.#fingerprints.has(anchor.fingerprint)) continue;
      this.#fingerprints.add(anchor.fingerprint);
      append(this.#bySubject, anchor.subjectName.key, anchor);
    }
    for (const crl of crls) append(this.#crls, crl.issuerKey, crl);
  }

  /** Anchors that may have issued `certificate`. */
  issuersOf(certificate: Certificate): readonly Certificate[] {
    const named = this.#bySubject.get(certificate.issuerKey) ?? [];
    return named.filter((anchor) => certificate.mayBeIssuedBy(anchor));
  }

  /** Whether this very certificate is an anchor. */
  has(certificate: Certificate): boolean {
    return this.#fingerprints.has(certificate.fingerprint);
  }

  /** CRLs of an issuer, by its name's key. */
  crlsOf(issuerKey: string): readonly Crl[] {
    return this.#crls.get(issuerKey) ?? [];
  }
}

function append<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
