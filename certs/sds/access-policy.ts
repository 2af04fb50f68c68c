/** Who a rule is for, and which secrets it lets them have. */
export interface AccessRule {
  /**
   * Patterns of the names in a client's certificate: `uri:spiffe://prod/ns/web/*`, `dns:*.edge.example`. `*` stands for any
   * characters. Absent: whoever can connect, for unix sockets that file modes guard.
   */
  readonly identities?: readonly string[] | undefined;
  /** Patterns of names of secrets, `*` as above. */
  readonly secrets: readonly string[];
}

/** Which secrets a client may fetch: what any rule grants that fits one of its names. Without rules: everything. */
export class AccessPolicy {
  readonly #rules: readonly { readonly identities: readonly RegExp[] | null; readonly secrets: readonly RegExp[] }[];

  constructor(rules: readonly AccessRule[]) {
    this.#rules = rules.map(({ identities, secrets }) => ({
      identities: identities?.map(compilePattern) ?? null,
      secrets: secrets.map(compilePattern),
    }));
  }

  /** Decides for a client with these names (`uri:...`, `dns:...`); null: it may have nothing at all. */
  forClient(names: readonly string[]): ((secret: string) => boolean) | null {
    if (this.#rules.length === 0) return everything;
    const granted = this.#rules
      .filter(({ identities }) => identities === null || identities.some((one) => names.some((name) => one.test(name))))
      .flatMap(({ secrets }) => secrets);
    return granted.length === 0 ? null : (secret) => granted.some((pattern) => pattern.test(secret));
  }
}

function everything(): boolean {
  return true;
}

/** Runs of `*` are one, so that matching is linear but for their number. */
function compilePattern(pattern: string): RegExp {
  const parts = pattern.split(/\*+/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's');
}
