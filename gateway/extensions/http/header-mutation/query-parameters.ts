import { percentDecode, percentEncodeOctet } from '#gateway/protocol/headers/percent-encoding.ts';

/**
 * The query parameters of a path, percent-decoded, to be changed and written back.
 *
 * As with Envoy, what is written stands in the order of the names and is not encoded again: a value with `&` in it becomes
 * two parameters for whoever reads the path next. Unlike with Envoy, octets that no request line may carry are encoded, where
 * Envoy sends a broken request (spaces) or refuses it (controls).
 */
export class QueryParameters {
  readonly #values = new Map<string, string[]>();

  /** Reads what follows the first `?` of `path`: octets as latin-1 text. A parameter without `=` has an empty value. */
  constructor(path: string) {
    let at = path.indexOf('?') + 1;
    if (at === 0) return;
    while (at < path.length) {
      let end = path.indexOf('&', at);
      if (end === -1) end = path.length;
      const equals = path.indexOf('=', at);
      if (equals === -1 || equals > end) this.add(percentDecode(path.slice(at, end)), '');
      else this.add(percentDecode(path.slice(at, equals)), percentDecode(path.slice(equals + 1, end)));
      at = end + 1;
    }
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** Adds a value after those that `name` has. */
  add(name: string, value: string): void {
    const values = this.#values.get(name);
    if (values === undefined) this.#values.set(name, [value]);
    else values.push(value);
  }

  /** Makes `value` the only one of `name`. */
  set(name: string, value: string): void {
    this.#values.set(name, [value]);
  }

  remove(name: string): void {
    this.#values.delete(name);
  }

  /** `path` with these parameters instead of its own. */
  writeTo(path: string): string {
    const question = path.indexOf('?');
    let text = question === -1 ? path : path.slice(0, question);
    let separator = '?';
    for (const name of [...this.#values.keys()].sort()) {
      for (const value of this.#values.get(name)!) {
        text += `${separator}${name}=${value}`.replace(unsendable, (c) => percentEncodeOctet(c.charCodeAt(0)));
        separator = '&';
      }
    }
    return text;
  }
}

/** What may not stand in a request target, whatever it means. */
const unsendable = /[^!-~]/g;
