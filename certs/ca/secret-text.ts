/**
 * A text that must not be seen in logs, dumps or errors: a private key. Printing, joining or serialising it shows
 * `[redacted]`; `reveal` is the one way to the text.
 */
export class SecretText {
  readonly #text: string; // private fields are not shown by console.log and util.inspect

  constructor(text: string) {
    this.#text = text;
  }

  /** The text itself: for files with mode 0600 and for SDS answers only. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return '[redacted]';
  }

  toJSON(): string {
    return '[redacted]';
  }
}
