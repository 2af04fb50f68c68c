/**
 * Gathers what the watches of one response say, each at its time, into the one answer that the server gets. Made with one
 * verdict open, so that it is not settled before all have been asked: `done` closes that one.
 */
export class Verdicts {
  readonly #settled: (problem: string) => void;
  readonly #problems = new Set<string>();
  #open = 1;

  /** `settled` is called once, with '' or all problems, a line each. */
  constructor(settled: (problem: string) => void) {
    this.#settled = settled;
  }

  /** Another verdict is awaited; the answer takes it. */
  expect(): (problem: string) => void {
    this.#open++;
    return (problem) => {
      this.add(problem);
      this.done();
    };
  }

  /** Notes a problem; '' is none. */
  add(problem: string): void {
    if (problem !== '') this.#problems.add(problem);
  }

  /** One verdict less is awaited; with the last one it is settled. */
  done(): void {
    if (--this.#open === 0) this.#settled([...this.#problems].join('\n'));
  }
}
