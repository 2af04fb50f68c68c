import { Certificate } from './validator/certificate.ts';

const maxRemembered = 256;

/**
 * Parses what peers send, and remembers the chains of accepted ones by leaf: some runtimes keep only the leaf in a session,
 * so a resumed connection shows no intermediates.
 */
export class PeerChains {
  readonly #byLeaf = new Map<string, readonly Certificate[]>();

  /** The peer's certificates, leaf first; null: one of them is malformed. */
  parse(sent: readonly Uint8Array[]): readonly Certificate[] | null {
    try {
      const chain = sent.map((der) => new Certificate(new Uint8Array(der)));
      const leaf = chain[0];
      if (leaf !== undefined && chain.length === 1) return this.#byLeaf.get(leaf.fingerprint) ?? chain;
      return chain;
    } catch {
      return null; // not DER, or not a certificate
    }
  }

  /** Remembers an accepted chain with intermediates. */
  remember(chain: readonly Certificate[]): void {
    const leaf = chain[0];
    if (leaf === undefined || chain.length < 2) return;
    this.#byLeaf.delete(leaf.fingerprint);
    this.#byLeaf.set(leaf.fingerprint, chain);
    if (this.#byLeaf.size > maxRemembered) this.#byLeaf.delete(this.#byLeaf.keys().next().value!);
  }
}
