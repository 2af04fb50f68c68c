import { Details } from './details.ts';
import type { Http2Options } from './options.ts';

/** Counts the octets and fields of one head as they come. */
export class HeadLimits {
  readonly #maxOctets: number;
  readonly #maxCount: number;
  #octets = 0;
  #count = 0;
  /** Which limit was passed; from then on fields are only decoded, to keep the tables in step. */
  exceeded: Details | null = null;

  constructor(options: Http2Options) {
    this.#maxOctets = options.maxHeaderOctets;
    this.#maxCount = options.maxHeaderCount;
  }

  reset(): void {
    this.#octets = 0;
    this.#count = 0;
    this.exceeded = null;
  }

  /** Counts a field; false when it is one too many. */
  take(name: string, value: string): boolean {
    this.#octets += name.length + value.length;
    this.#count++;
    if (this.#octets <= this.#maxOctets && this.#count <= this.#maxCount) return true;
    if (this.exceeded === null) {
      this.exceeded = this.#count > this.#maxCount ? Details.TooManyHeaders : Details.HeaderListTooLarge;
    }
    return false;
  }
}
