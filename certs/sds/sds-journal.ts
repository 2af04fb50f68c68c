import type { SdsStatus, SdsStreamStatus } from './sds-status.ts';

const maxShown = 1000;
const maxRefusals = 100;

/** Knows the open streams and the last refusals of a server: what /status tells. */
export class SdsJournal {
  readonly #streams = new Set<{ status(): SdsStreamStatus }>();
  readonly #refusals: SdsStatus['refusals'][number][] = [];

  /** Streams open now. */
  get size(): number {
    return this.#streams.size;
  }

  opened(stream: { status(): SdsStreamStatus }): void {
    this.#streams.add(stream);
  }

  closed(stream: { status(): SdsStreamStatus }): void {
    this.#streams.delete(stream);
  }

  refused({ peer, identity, refused }: SdsStreamStatus): void {
    if (refused === null) return;
    this.#refusals.unshift({ peer, identity, ...refused });
    if (this.#refusals.length > maxRefusals) this.#refusals.pop();
  }

  status(): SdsStatus {
    const clients: SdsStreamStatus[] = [];
    for (const stream of this.#streams) {
      if (clients.length >= maxShown) break;
      clients.push(stream.status());
    }
    return { streams: this.#streams.size, clients, refusals: [...this.#refusals] };
  }
}
