import { type Certificate, parseCertificates } from '#gateway/transport/validator/certificate.ts';

/** Parses PEM texts once, however often they are asked for. */
export class KnownCertificates {
  #texts = new Map<string, readonly Certificate[]>();
  #asked = new Set<string>();

  /** The certificates of a text; none when it cannot be parsed. */
  of(pem: string): readonly Certificate[] {
    if (pem === '') return [];
    this.#asked.add(pem);
    let known = this.#texts.get(pem);
    if (known === undefined) {
      known = parse(pem);
      this.#texts.set(pem, known);
    }
    return known;
  }

  /** Drops texts that nobody has asked for since the last time: those that were replaced. */
  forgetOthers(): void {
    for (const pem of this.#texts.keys()) if (!this.#asked.has(pem)) this.#texts.delete(pem);
    this.#asked = new Set();
  }
}

function parse(pem: string): Certificate[] {
  try {
    return parseCertificates(pem);
  } catch {
    return [];
  }
}
