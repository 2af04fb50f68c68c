import type { Clock } from '#gateway/runtime/clock.ts';
import { type Exemption, type ExemptionWish, maxExemptions } from './exemption.ts';
import type { NotesReader, SharedNotes } from './shared-notes.ts';

/** Notes of this process alone, beside counters that are so as well. They end with it. */
export class MemoryNotes implements SharedNotes {
  readonly shared: boolean = false;
  readonly staleMs: number = 0;
  readonly #clock: Clock;
  readonly #reader: NotesReader;
  #exemptions: readonly Exemption[] = [];

  constructor(clock: Clock, reader: NotesReader) {
    this.#clock = clock;
    this.#reader = reader;
  }

  async addExemption(wish: ExemptionWish, forMs: number): Promise<Exemption | null> {
    const nowMs = this.#clock.wallMs();
    const others = this.#exemptions.filter(({ until_ms, id }) => until_ms > nowMs && id !== wish.id);
    if (others.length >= maxExemptions) return null;
    const exemption = { ...wish, until_ms: nowMs + forMs };
    this.#set([...others, exemption]);
    return await Promise.resolve(exemption);
  }

  async removeExemption(id: string): Promise<boolean> {
    const left = this.#exemptions.filter((exemption) => exemption.id !== id);
    const found = left.length < this.#exemptions.length;
    if (found) this.#set(left);
    return await Promise.resolve(found);
  }

  async announceReset(keys: readonly string[]): Promise<void> {
    this.#reader.onReset(keys);
    await Promise.resolve();
  }

  close(): void {}

  #set(exemptions: readonly Exemption[]): void {
    this.#exemptions = exemptions;
    this.#reader.onExemptions(exemptions);
  }
}
