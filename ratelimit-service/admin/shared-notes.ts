import type { Exemption, ExemptionWish } from './exemption.ts';

/** Told what is new among the notes. */
export interface NotesReader {
  /** All exemptions there are now. */
  onExemptions(exemptions: readonly Exemption[]): void;
  /** Counters that were deleted: what was known or made of them is worth nothing any more. Each reset is told once. */
  onReset(keys: readonly string[]): void;
}

/** What all instances on one store know of: exemptions, and counters that were reset. */
export interface SharedNotes {
  /** Whether other instances see them. */
  readonly shared: boolean;
  /** How long after a change every instance knows of it, milliseconds. */
  readonly staleMs: number;
  /** Adds one and answers it with its end; null when there are too many. Rejects when it cannot be kept. */
  addExemption(wish: ExemptionWish, forMs: number): Promise<Exemption | null>;
  /** False when there is no such one. Rejects when that cannot be known. */
  removeExemption(id: string): Promise<boolean>;
  /** Tells this instance at once, and all others; rejects when these cannot be told. */
  announceReset(keys: readonly string[]): Promise<void>;
  close(): void;
}
