import { ConfigError } from '#gateway/config/diagnostics.ts';

/** Wildcard domains of one length. */
interface WildcardBucket<T> {
  readonly length: number;
  readonly byText: Map<string, T>;
}

/**
 * Finds what is registered for a host: exact name first, then `*.suffix` (longest first), then `prefix.*` (longest
 * first), then `*`. Names are compared in lower case.
 */
export class VirtualHostIndex<T> {
  readonly #exact = new Map<string, T>();
  readonly #suffixes: WildcardBucket<T>[] = [];
  readonly #prefixes: WildcardBucket<T>[] = [];
  #any: T | null = null;
  #onlyAny = true;

  /** Registers `target` for a domain. Throws ConfigError when the domain is taken or not one. */
  add(domain: string, target: T): void {
    const name = domain.toLowerCase();
    if (name === '*') {
      if (this.#any !== null) throw new ConfigError('', 'only a single wildcard domain is permitted');
      this.#any = target;
      return;
    }
    this.#onlyAny = false;
    let map = this.#exact;
    let text = name;
    if (name.startsWith('*')) {
      text = name.slice(1);
      map = bucketFor(this.#suffixes, text.length);
    } else if (name.endsWith('*')) {
      text = name.slice(0, -1);
      map = bucketFor(this.#prefixes, text.length);
    }
    if (map.has(text)) throw new ConfigError('', `only unique values for domains are permitted: ${domain} is repeated`);
    map.set(text, target);
  }

  /** `host` without a port when ports are to be ignored; empty finds `*` only. */
  find(host: string): T | null {
    if (this.#onlyAny || host === '') return this.#any;
    const exact = this.#exact.get(host);
    if (exact !== undefined) return exact;
    const lower = host.toLowerCase();
    if (lower !== host) {
      const found = this.#exact.get(lower);
      if (found !== undefined) return found;
    }
    for (const { length, byText } of this.#suffixes) {
      if (lower.length <= length) continue;
      const found = byText.get(lower.slice(lower.length - length));
      if (found !== undefined) return found;
    }
    for (const { length, byText } of this.#prefixes) {
      if (lower.length <= length) continue;
      const found = byText.get(lower.slice(0, length));
      if (found !== undefined) return found;
    }
    return this.#any;
  }
}

function bucketFor<T>(buckets: WildcardBucket<T>[], length: number): Map<string, T> {
  let bucket = buckets.find((had) => had.length === length);
  if (bucket === undefined) {
    bucket = { length, byText: new Map() };
    buckets.push(bucket);
    buckets.sort((a, b) => b.length - a.length);
  }
  return bucket.byText;
}

/** `host` without its port: `a:80` is `a`, `[::1]:80` is `[::1]`. */
export function hostWithoutPort(host: string): string {
  const colon = host.lastIndexOf(':');
  if (colon === -1 || host.indexOf(']', colon) !== -1) return host;
  return host.slice(0, colon);
}
