import { MAX_DEPTH, type MapEntry, type ScalarNode, type SourceNode, SourceSyntaxError } from './source-node.ts';

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "'": "'",
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const LITERAL = /true|false|null/y;

/**
 * Reads JSON with the offset of every value. As lenient as Envoy's reader: a comma before a closing bracket and
 * single quotes are let through, comments are not. Throws {@link SourceSyntaxError}.
 */
export function parseJson(text: string): SourceNode {
  const reader = new JsonReader(text);
  const node = reader.value(0);
  reader.end();
  return node;
}

class JsonReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    if (text.charCodeAt(0) === 0xfeff) this.#at = 1;
  }

  value(depth: number): SourceNode {
    if (depth > MAX_DEPTH) throw new SourceSyntaxError(this.#at, `nested deeper than ${MAX_DEPTH} levels`);
    const char = this.#peek();
    if (char === '{') return this.#map(depth);
    if (char === '[') return this.#list(depth);
    const at = this.#at;
    if (char === '"' || char === "'") return { kind: 'scalar', at, value: this.#string() };
    return this.#plain();
  }

  end(): void {
    if (this.#peek() !== '') throw this.#unexpected('the end');
  }

  #map(depth: number): SourceNode {
    const at = this.#at++;
    const entries: MapEntry[] = [];
    while (this.#peek() !== '}') {
      const keyAt = this.#at;
      if (this.#peek() !== '"' && this.#peek() !== "'") throw this.#unexpected('a name in quotes or }');
      const key = this.#string();
      if (this.#peek() !== ':') throw this.#unexpected(':');
      this.#at++;
      entries.push({ key, at: keyAt, value: this.value(depth + 1) });
      if (this.#peek() === ',') this.#at++;
      else if (this.#peek() !== '}') throw this.#unexpected(', or }');
    }
    this.#at++;
    return { kind: 'map', at, entries };
  }

  #list(depth: number): SourceNode {
    const at = this.#at++;
    const items: SourceNode[] = [];
    while (this.#peek() !== ']') {
      items.push(this.value(depth + 1));
      if (this.#peek() === ',') this.#at++;
      else if (this.#peek() !== ']') throw this.#unexpected(', or ]');
    }
    this.#at++;
    return { kind: 'list', at, items };
  }

  #plain(): ScalarNode {
    const at = this.#at;
    LITERAL.lastIndex = at;
    const literal = LITERAL.exec(this.#text)?.[0];
    if (literal !== undefined) {
      this.#at += literal.length;
      return { kind: 'scalar', at, value: literal === 'null' ? null : literal === 'true' };
    }
    NUMBER.lastIndex = at;
    const number = NUMBER.exec(this.#text)?.[0];
    if (number === undefined) throw this.#unexpected('a value');
    this.#at += number.length;
    const value = Number(number);
    // A 64-bit integer would lose digits as a number.
    const exact = Number.isSafeInteger(value) || !/^-?\d+$/.test(number);
    return { kind: 'scalar', at, value: exact ? value : number };
  }

  #string(): string {
    const quote = this.#text[this.#at]!;
    const start = ++this.#at;
    const close = this.#text.indexOf(quote, start);
    const plain = close === -1 ? '' : this.#text.slice(start, close);
    if (close !== -1 && !plain.includes('\\') && !plain.includes('\n')) {
      this.#at = close + 1;
      return plain;
    }
    return this.#escapedString(quote);
  }

  #escapedString(quote: string): string {
    const start = this.#at - 1;
    let value = '';
    for (;;) {
      const char = this.#text[this.#at++];
      if (char === undefined || char === '\n') throw new SourceSyntaxError(start, 'a string without its closing quote');
      if (char === quote) return value;
      value += char === '\\' ? this.#escape() : char;
    }
  }

  #escape(): string {
    const char = this.#text[this.#at++] ?? '';
    if (char === 'u') {
      const digits = this.#text.slice(this.#at, this.#at + 4);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.#unexpected('four hexadecimal digits');
      this.#at += 4;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const value = ESCAPES[char];
    if (value === undefined) throw new SourceSyntaxError(this.#at - 2, `unknown escape \\${char}`);
    return value;
  }

  /** The next character that is not white space, left unread; empty at the end. */
  #peek(): string {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) break;
      this.#at++;
    }
    return this.#text[this.#at] ?? '';
  }

  #unexpected(expected: string): SourceSyntaxError {
    const found = this.#text[this.#at];
    const shown = found === undefined ? 'the end of the file' : `"${found}"`;
    return new SourceSyntaxError(this.#at, `expected ${expected}, found ${shown}`);
  }
}
