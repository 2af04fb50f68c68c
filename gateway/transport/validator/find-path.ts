import type { Certificate } from './certificate.ts';
import { pathProblem } from './check-path.ts';
import { type CertificatePath, type PathProblem, type PathRules, pathText } from './path-rules.ts';

/** Paths that one peer may make us judge. */
const maxPaths = 16;
/** Steps of building that one peer may make us take. */
const maxSteps = 256;

/** What a search found: a good path, or why there is none. */
export type PathAnswer =
  | { readonly path: readonly Certificate[]; readonly problem: null }
  | { readonly path: null; readonly problem: PathProblem };

/** Searches a path from `leaf` to an anchor of `rules`; `sent` are the certificates that the peer sent, the leaf among them. */
export function findPath(leaf: Certificate, sent: readonly Certificate[], rules: PathRules, nowMs: number): PathAnswer {
  return new PathSearch(sent, rules, nowMs).run(leaf);
}

/**
 * Depth first, anchors before what was sent, in the order sent. The first path is the one that Envoy builds, and its problem is
 * what is told. Where Envoy stops, the search goes on: another order of the same certificates must not change the answer.
 */
class PathSearch {
  readonly #sent: readonly Certificate[];
  readonly #rules: PathRules;
  readonly #nowMs: number;
  readonly #path: Certificate[] = [];
  #good: readonly Certificate[] | null = null;
  #problem: PathProblem | null = null;
  #paths = 0;
  #steps = 0;
  #over = false;

  constructor(sent: readonly Certificate[], rules: PathRules, nowMs: number) {
    this.#sent = sent;
    this.#rules = rules;
    this.#nowMs = nowMs;
  }

  run(leaf: Certificate): PathAnswer {
    this.#path.push(leaf);
    this.#fromPeer();
    if (this.#good !== null) return { path: this.#good, problem: null };
    return { path: null, problem: this.#problem ?? { text: 'unable to get local issuer certificate', depth: 0 } };
  }

  get #last(): Certificate {
    return this.#path[this.#path.length - 1]!;
  }

  /** The path holds certificates of the peer only. */
  #fromPeer(): void {
    if (this.#over || ++this.#steps > maxSteps) return;
    const last = this.#last;
    if (last.invalidExtension) {
      this.#fail({ text: pathText.invalidExtension, depth: this.#path.length - 1 });
      return;
    }
    if (this.#path.length >= this.#rules.maxDepth + 2) {
      this.#end(this.#path.length);
      return;
    }
    if (last.selfSigned) {
      this.#selfSigned();
      return;
    }
    const anchors = this.#rules.store.issuersOf(last);
    if (anchors.length > 0) this.#throughAnchors(anchors, this.#path.length);
    let sent = false;
    for (const issuer of this.#sent) {
      if (this.#over) return;
      if (this.#path.includes(issuer) || !last.mayBeIssuedBy(issuer)) continue;
      sent = true;
      this.#path.push(issuer);
      this.#fromPeer();
      this.#path.pop();
    }
    if (!sent && anchors.length === 0) this.#end(this.#path.length);
  }

  /** A self-signed certificate ends what the peer sent: alone it must be an anchor itself, else its subject's anchor is looked for. */
  #selfSigned(): void {
    if (this.#path.length === 1) {
      if (this.#rules.store.has(this.#last)) this.#judge(0);
      else this.#fail({ text: 'self signed certificate', depth: 0 });
      return;
    }
    const root = this.#path.pop()!;
    const anchors = this.#rules.store.issuersOf(this.#last);
    if (anchors.length > 0) this.#throughAnchors(anchors, this.#path.length);
    else this.#end(this.#path.length, root);
    this.#path.push(root);
  }

  /** Goes on with certificates of the store only. */
  #throughAnchors(anchors: readonly Certificate[], untrusted: number): void {
    for (const anchor of anchors) {
      if (this.#over || ++this.#steps > maxSteps) return;
      this.#path.push(anchor);
      const ends = this.#path.length >= this.#rules.maxDepth + 2 || anchor.selfSigned;
      const above = ends ? [] : this.#rules.store.issuersOf(anchor).filter((next) => !this.#path.includes(next));
      if (above.length > 0) this.#throughAnchors(above, untrusted);
      else this.#end(untrusted);
      this.#path.pop();
    }
  }

  /** The path is as long as it gets. `root` is the peer's own self-signed root above it, if it sent one. */
  #end(untrusted: number, root: Certificate | null = null): void {
    const { store, partialChains } = this.#rules;
    const trusted = this.#path.slice(untrusted);
    if (partialChains ? trusted.length > 0 : trusted.some((certificate) => certificate.selfSigned)) {
      this.#judge(untrusted);
    } else if (partialChains && store.has(this.#path[0]!)) {
      this.#judge(0);
    } else if (root !== null && this.#last.mayBeIssuedBy(root)) {
      this.#fail({ text: 'self signed certificate in certificate chain', depth: this.#path.length });
    } else {
      const local = trusted.length === 0 ? 'local ' : '';
      this.#fail({ text: `unable to get ${local}issuer certificate`, depth: this.#path.length - 1 });
    }
  }

  #judge(untrusted: number): void {
    if (this.#over || ++this.#paths > maxPaths) return;
    const path: CertificatePath = { certificates: [...this.#path], untrusted };
    const problem = pathProblem(path, this.#rules, this.#nowMs);
    if (problem === null) {
      this.#good = path.certificates;
      this.#over = true;
    } else this.#fail(problem);
  }

  // The first problem is the one to tell. What is revoked stays so: no other path is tried.
  #fail(problem: PathProblem): void {
    this.#problem ??= problem;
    if (problem.text === pathText.revoked) {
      this.#problem = problem;
      this.#over = true;
    }
  }
}
