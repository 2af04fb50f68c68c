import type { Cancellable } from '#gateway/api/upstream.ts';
import type { DnsAnswer, DnsListener, DnsResolver } from './dns-resolver.ts';

/** `dns_lookup_family`. `auto`: IPv6, or IPv4 when there is none; `v4_preferred` the other way; `all`: both. */
export type LookupFamily = 'auto' | 'v4_only' | 'v6_only' | 'v4_preferred' | 'all';

const order: Readonly<Record<LookupFamily, readonly (4 | 6)[]>> = {
  auto: [6, 4],
  v4_only: [4],
  v6_only: [6],
  v4_preferred: [4, 6],
  all: [4, 6],
};

/** Looks a name up in the families asked for, one after the other. */
export class FamilyLookup implements Cancellable, DnsListener {
  readonly #name: string;
  readonly #family: LookupFamily;
  readonly #resolver: DnsResolver;
  readonly #wantTtl: boolean;
  readonly #listener: DnsListener;
  readonly #found: string[] = [];
  #ttlSeconds = -1;
  #anyOk = false;
  #step = 0;
  #query: Cancellable | null = null;

  constructor(name: string, family: LookupFamily, resolver: DnsResolver, wantTtl: boolean, listener: DnsListener) {
    this.#name = name;
    this.#family = family;
    this.#resolver = resolver;
    this.#wantTtl = wantTtl;
    this.#listener = listener;
    this.#ask();
  }

  cancel(): void {
    this.#query?.cancel();
    this.#query = null;
  }

  onDnsAnswer(answer: DnsAnswer): void {
    this.#query = null;
    this.#anyOk ||= answer.ok;
    this.#found.push(...answer.addresses);
    if (answer.ttlSeconds >= 0 && answer.addresses.length > 0) {
      this.#ttlSeconds = this.#ttlSeconds < 0 ? answer.ttlSeconds : Math.min(this.#ttlSeconds, answer.ttlSeconds);
    }
    const enough = this.#found.length > 0 && this.#family !== 'all';
    if (!enough && this.#step < order[this.#family].length) this.#ask();
    else this.#listener.onDnsAnswer({ ok: this.#anyOk, addresses: this.#found, ttlSeconds: this.#ttlSeconds });
  }

  #ask(): void {
    const family = order[this.#family][this.#step++]!;
    this.#query = this.#resolver.lookup(this.#name, family, this.#wantTtl, this);
  }
}
