import { Certificate } from './validator/certificate.ts';

/** Intermediates of accepted chains that are kept. */
const maxRemembered = 512;

/**
 * Parses what peers send. Node keeps only the leaf in a session, so that a resumed connection shows no intermediates: those of
 * accepted paths are remembered and stand in. They are authorities that an anchor vouched for, so clients cannot flood this.
 */
export class PeerChains {
  readonly #intermediates = new Map<string, Certificate>();

  /**
   * The peer's certificates, leaf first; null: one of them is malformed. With `resumed`, what is missing after a lone leaf comes
   * from what is remembered; the verdict on it is made anew all the same.
   */
  parse(sent: readonly Uint8Array[], resumed: boolean): readonly Certificate[] | null {
    try {
      const chain = sent.map((der) => new Certificate(new Uint8Array(der)));
      return resumed && chain.length === 1 ? [...chain, ...this.#intermediates.values()] : chain;
    } catch {
      return null; // not DER, or not a certificate
    }
  }

  /** The chain that is told of: what was sent, and for a resumed session that holds the leaf only, the path without its anchor. */
  shown(sent: readonly Uint8Array[], resumed: boolean, path: readonly Certificate[]): readonly Uint8Array[] {
    if (!resumed || sent.length !== 1 || path.length < 3) return sent;
    return path.slice(0, -1).map((certificate) => certificate.der);
  }

  /** Remembers the intermediates of an accepted path, which goes from the leaf to its anchor. */
  remember(path: readonly Certificate[]): void {
    for (let i = 1; i < path.length - 1; i++) {
      const certificate = path[i]!;
      this.#intermediates.delete(certificate.fingerprint);
      this.#intermediates.set(certificate.fingerprint, certificate);
      if (this.#intermediates.size > maxRemembered) {
        this.#intermediates.delete(this.#intermediates.keys().next().value!);
      }
    }
  }
}
