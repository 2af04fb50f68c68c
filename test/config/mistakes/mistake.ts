/** One mistake seeded into base.yaml, and what the reader must say about it. */
export interface Mistake {
  /** What was done wrong. */
  readonly name: string;
  /** Text of base.yaml that is replaced, once; it must be there exactly once. */
  readonly from: string;
  /** What is written instead. */
  readonly to: string;
  /** Where the report must point: the first place of this text in the changed file. */
  readonly at: string;
  /** The path reported. */
  readonly path: RegExp;
  /** What the problem must say. */
  readonly problem: RegExp;
  /** What "did you mean" must say; null when there is nothing to suggest. */
  readonly suggestion: RegExp | null;
}
