import type { LimitRule } from '../config/rule.ts';
import { TopKeys } from './top-keys.ts';

/** The most that one key asked for in one window of the clock. */
export interface Peak {
  readonly hits: number;
  /** It may be this much more: there were too many keys to count each. */
  readonly error: number;
  readonly key: string;
  /** Microseconds since the Unix epoch: when it was reached. */
  readonly atUs: number;
}

/** What became of the requests that one rule had a word in. */
export class RuleReport {
  readonly rule: LimitRule;
  requests = 0;
  hits = 0;
  /** Requests that the rule was over for, and refused. */
  limited = 0;
  limitedHits = 0;
  /** Requests that it was over for, and let pass: shadow mode, or a quota beside others. */
  wouldLimit = 0;
  /** Microseconds since the Unix epoch; NaN when it never was over. */
  firstUs: number = Number.NaN;
  lastUs: number = Number.NaN;
  /** Keys that were over, by requests. */
  readonly keys: TopKeys = new TopKeys();
  peak: Peak = { hits: 0, error: 0, key: '', atUs: Number.NaN };
  /** Where rejected hits are not counted by the engine: hits by key in the window of the clock that is now. */
  #window = new TopKeys();
  #windowIndex = -1;

  constructor(rule: LimitRule) {
    this.rule = rule;
  }

  /** The rule was over for a request; `refused` unless it passes all the same. */
  onOver(key: string, hits: number, timeUs: number, refused: boolean): void {
    if (refused) {
      this.limited++;
      this.limitedHits += hits;
    } else this.wouldLimit++;
    if (Number.isNaN(this.firstUs)) this.firstUs = timeUs;
    this.lastUs = timeUs;
    this.keys.add(key, 1);
  }

  /**
   * Notes what a key has asked for in its window. `counted` is the counter of a fixed window, which has everything in it, or
   * the requests in flight; -1 when hits are to be counted here.
   */
  notePeak(counter: string, shown: () => string, hits: number, counted: number, timeUs: number): void {
    let inWindow = counted;
    let error = 0;
    if (counted === -1) {
      const index = Math.floor(timeUs / 1_000_000 / this.rule.windowSeconds);
      if (index !== this.#windowIndex) {
        this.#windowIndex = index;
        this.#window = new TopKeys();
      }
      inWindow = this.#window.add(counter, hits);
      ({ error } = this.#window);
    }
    if (inWindow > this.peak.hits) this.peak = { hits: inWindow, error, key: shown(), atUs: timeUs };
  }
}
