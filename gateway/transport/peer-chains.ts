import { createHash } from 'node:crypto';
import { Certificate } from './validator/certificate.ts';

/** Certificates of accepted chains that are kept, leaves and intermediates apart. */
const maxRemembered = 256;

/**
 * Parses what peers send, and remembers the certificates of accepted ones. Who comes again is not parsed again, nor are its
 * signatures checked again; all else is judged anew. And Node keeps only the leaf in a session, so that a resumed connection
 * shows no intermediates: those that are remembered stand in. Only what an anchor vouched for gets in here, so clients cannot
 * flood it.
 */
export class PeerChains {
  readonly #leaves = new Map<string, Certificate>();
  readonly #intermediates = new Map<string, Certificate>();

  /**
   * The peer's certificates, leaf first; null: one of them is malformed. With `resumed`, what is missing after a lone leaf comes
   * from what is remembered.
   */
  parse(sent: readonly Uint8Array[], resumed: boolean): readonly Certificate[] | null {
    try {
      const chain = sent.map((der) => this.#certificate(der));
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

  /** Remembers an accepted path, which goes from the leaf to its anchor. */
  remember(path: readonly Certificate[]): void {
    for (let i = 0; i < path.length - 1; i++) keep(i === 0 ? this.#leaves : this.#intermediates, path[i]!);
  }

  #certificate(der: Uint8Array): Certificate {
    const fingerprint = createHash('sha256').update(der).digest('hex');
    const known = this.#leaves.get(fingerprint) ?? this.#intermediates.get(fingerprint);
    return known ?? new Certificate(new Uint8Array(der), fingerprint);
  }
}

/** Puts a certificate last, and drops the first when there are too many. */
function keep(list: Map<string, Certificate>, certificate: Certificate): void {
  list.delete(certificate.fingerprint);
  list.set(certificate.fingerprint, certificate);
  if (list.size > maxRemembered) list.delete(list.keys().next().value!);
}
