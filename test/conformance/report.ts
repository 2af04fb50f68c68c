import { difference, type Recording } from './answer.ts';

/** Adds up how a proxy's answers compare with the reference's. */
export class Report {
  readonly #verbose: boolean;
  readonly #kinds = new Map<string, number>();
  configurations = 0;
  loaded = 0;
  clean = 0;
  answers = 0;
  equal = 0;
  answersOfLoaded = 0;

  constructor(verbose: boolean) {
    this.#verbose = verbose;
  }

  /** Compares one configuration's recordings and prints a line when they differ. */
  add(name: string, reference: Recording, ours: Recording): void {
    this.configurations++;
    let known = 0;
    for (const answer of reference.answers ?? []) known += (answer.h1 === null ? 0 : 1) + (answer.h2 === null ? 0 : 1);
    this.answers += known;
    if (ours.answers === undefined) {
      const reason = (ours.log ?? ours.failed ?? 'absent').trim().split('\n').slice(-2).join(' ');
      console.log(`${name}: not loaded: ${reason.slice(0, 240)}`);
      return;
    }
    this.loaded++;
    this.answersOfLoaded += known;
    const wrong = this.#compare(name, reference, ours);
    if (wrong === 0 && ours.died !== true) this.clean++;
    else console.log(`${name}: ${wrong} of ${known} answers differ${ours.died === true ? ', process died' : ''}`);
  }

  #compare(name: string, reference: Recording, ours: Recording): number {
    let wrong = 0;
    (reference.answers ?? []).forEach((expected, i) => {
      for (const version of ['h1', 'h2'] as const) {
        const wanted = expected[version];
        if (wanted === null) continue;
        const found = difference(wanted, ours.answers?.[i]?.[version] ?? { failed: 'absent' }, expected.q.weighted);
        if (found === null) {
          this.equal++;
          continue;
        }
        wrong++;
        const kind = found.slice(0, 110);
        this.#kinds.set(kind, (this.#kinds.get(kind) ?? 0) + 1);
        if (this.#verbose)
          console.log(`  ${name} ${version} ${expected.q.method} ${expected.q.host}${expected.q.path}: ${found}`);
      }
    });
    return wrong;
  }

  /** Prints the most frequent differences and the totals. */
  print(): void {
    const frequent = [...this.#kinds].sort((a, b) => b[1] - a[1]).slice(0, 25);
    for (const [kind, times] of frequent) console.log(`${String(times).padStart(5)}  ${kind}`);
    const share = ((100 * this.equal) / Math.max(1, this.answers)).toFixed(1);
    console.log(
      `${this.loaded} of ${this.configurations} configurations load, ${this.clean} answer as the reference does; ` +
        `${this.equal} of ${this.answers} answers equal (${share} %), of the loaded ones ${this.equal} of ${this.answersOfLoaded}`,
    );
  }
}
