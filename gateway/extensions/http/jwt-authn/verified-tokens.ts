import type { JwtToken } from './jwt-token.ts';

const maxTokens = 1000;
const maxTokenOctets = 8192;

/** Tokens whose signatures have been verified with the keys in force, so that a token seen again costs no cryptography. */
export class VerifiedTokens {
  readonly #tokens = new Map<string, JwtToken>();
  #version = 0;

  /** The token of this text, when it was verified with keys of `version`. */
  get(text: string, version: number): JwtToken | null {
    if (version !== this.#version) {
      this.#tokens.clear();
      this.#version = version;
      return null;
    }
    return this.#tokens.get(text) ?? null;
  }

  /** Remembers a verified token; the oldest is forgotten when there are too many. */
  add(token: JwtToken): void {
    if (token.text.length > maxTokenOctets) return;
    if (this.#tokens.size >= maxTokens) this.#tokens.delete(this.#tokens.keys().next().value!);
    this.#tokens.set(token.text, token);
  }
}
