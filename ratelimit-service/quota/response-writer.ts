import { Buffer } from 'node:buffer';
import { denyAll, type Strategy } from './strategy.ts';

/**
 * Writes one envoy.service.rate_limit_quota.v3.RateLimitQuotaResponse. Ids are given as they are encoded. One writer serves
 * all streams, one message at a time.
 */
export class QuotaResponseWriter {
  #buf: Buffer = Buffer.allocUnsafe(1024);
  #at = 0;

  /** Octets written so far. */
  get length(): number {
    return this.#at;
  }

  /** Adds an assignment that lasts `ttlSeconds`: two actions where the strategy's bucket is to be full. */
  assign(id: Uint8Array, strategy: Strategy, ttlSeconds: number): void {
    if (strategy.kind === 'tokens' && strategy.fresh) this.#assignment(id, denyAll, ttlSeconds);
    this.#assignment(id, strategy, ttlSeconds);
  }

  /** Adds an AbandonAction. */
  abandon(id: Uint8Array): void {
    this.#reserve(id.length + 32);
    this.#head(0x0a, idLength(id) + 2);
    this.#id(id);
    this.#head(0x1a, 0);
  }

  /** The message, and begins the next one. The array is the caller's. */
  take(): Uint8Array {
    const message = new Uint8Array(this.#buf.subarray(0, this.#at));
    this.#at = 0;
    return message;
  }

  #assignment(id: Uint8Array, strategy: Strategy, ttlSeconds: number): void {
    this.#reserve(id.length + 96);
    const ttl = 1 + varintLength(ttlSeconds);
    const rule = strategyLength(strategy);
    const assignment = 2 + ttl + 2 + rule;
    this.#head(0x0a, idLength(id) + 2 + assignment);
    this.#id(id);
    this.#head(0x12, assignment);
    this.#head(0x12, ttl);
    this.#number(0x08, ttlSeconds);
    this.#head(0x1a, rule);
    this.#strategy(strategy);
  }

  #strategy(strategy: Strategy): void {
    if (strategy.kind !== 'tokens') {
      this.#number(0x08, strategy.kind === 'allow' ? 0 : 1);
      return;
    }
    this.#head(0x1a, bucketLength(strategy.maxTokens, strategy.tokensPerFill, strategy.fillSeconds));
    this.#number(0x08, strategy.maxTokens);
    this.#head(0x12, 1 + varintLength(strategy.tokensPerFill));
    this.#number(0x08, strategy.tokensPerFill);
    this.#head(0x1a, 1 + varintLength(strategy.fillSeconds));
    this.#number(0x08, strategy.fillSeconds);
  }

  #id(id: Uint8Array): void {
    this.#head(0x0a, id.length);
    this.#buf.set(id, this.#at);
    this.#at += id.length;
  }

  #head(tag: number, length: number): void {
    this.#number(tag, length);
  }

  #number(tag: number, value: number): void {
    this.#buf[this.#at++] = tag;
    let rest = value;
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) this.#buf[this.#at++] = (rest % 128) | 0x80;
    this.#buf[this.#at++] = rest;
  }

  #reserve(octets: number): void {
    if (this.#at + octets <= this.#buf.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#buf.length * 2, this.#at + octets));
    grown.set(this.#buf.subarray(0, this.#at));
    this.#buf = grown;
  }
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) length++;
  return length;
}

function idLength(id: Uint8Array): number {
  return 1 + varintLength(id.length) + id.length;
}

function bucketLength(maxTokens: number, tokensPerFill: number, fillSeconds: number): number {
  return 1 + varintLength(maxTokens) + 3 + varintLength(tokensPerFill) + 3 + varintLength(fillSeconds);
}

function strategyLength(strategy: Strategy): number {
  if (strategy.kind !== 'tokens') return 2;
  return 2 + bucketLength(strategy.maxTokens, strategy.tokensPerFill, strategy.fillSeconds);
}
