import { Buffer } from 'node:buffer';
import type { LimitRule } from '../config/rule.ts';
import type { RequestPlan } from '../limiter/plan.ts';
import { descriptorCode, type LimitCode, limitRemaining, secondsUntilReset } from '../limiter/verdict.ts';

/** Replies are cut from slabs of this size, octets: a reply must never change once it is handed out. */
const slabOctets = 16_384;

/** Octets of the gRPC frame head: a flag and the length. */
const frameHead = 5;

const encodedLimits = new WeakMap<LimitRule, Uint8Array>();

/**
 * Writes envoy.service.ratelimit.v3.RateLimitResponse as one gRPC message, frame head included. Written by hand because
 * it runs for every request that an edge gateway limits; a test compares it with the generic reader.
 */
export class RateLimitResponseWriter {
  #slab: Buffer = Buffer.alloc(0);
  #at = 0;

  /** The framed reply. It never changes afterwards. `headers` is `[name, value, ...]`, `metadata` an encoded Struct. */
  write(
    code: LimitCode,
    plan: RequestPlan,
    after: readonly number[],
    nowSeconds: number,
    headers: readonly string[],
    metadata: Uint8Array | null = null,
  ): Uint8Array {
    let size = 2;
    for (let i = 0; i < plan.descriptors.length; i++) {
      const length = statusLength(plan, after, i, nowSeconds);
      size += 1 + varintLength(length) + length;
    }
    for (let i = 0; i < headers.length; i += 2) {
      const length = headerLength(headers[i]!, headers[i + 1]!);
      size += 1 + varintLength(length) + length;
    }
    if (metadata !== null) size += 1 + varintLength(metadata.length) + metadata.length;
    this.#reserve(frameHead + size);
    const start = this.#at;
    this.#octet(0);
    this.#slab.writeUInt32BE(size, this.#at);
    this.#at += 4;
    this.#octet(0x08);
    this.#octet(code);
    for (let i = 0; i < plan.descriptors.length; i++) this.#status(plan, after, i, nowSeconds);
    for (let i = 0; i < headers.length; i += 2) this.#header(headers[i]!, headers[i + 1]!);
    if (metadata !== null) this.#metadata(metadata);
    return this.#slab.subarray(start, this.#at);
  }

  #status(plan: RequestPlan, after: readonly number[], i: number, nowSeconds: number): void {
    const each = plan.descriptors[i]!;
    this.#octet(0x12);
    this.#varint(statusLength(plan, after, i, nowSeconds));
    this.#octet(0x08);
    this.#octet(descriptorCode(each, after[i]!));
    if (each.windowSeconds !== 0) {
      const limit = encodedLimit(each.rule!);
      this.#slab.set(limit, this.#at);
      this.#at += limit.length;
    }
    const remaining = limitRemaining(each, after[i]!);
    if (remaining !== 0) {
      this.#octet(0x18);
      this.#varint(remaining);
    }
    if (each.windowSeconds !== 0) {
      const reset = secondsUntilReset(each, nowSeconds);
      this.#octet(0x22);
      this.#octet(1 + varintLength(reset));
      this.#octet(0x08);
      this.#varint(reset);
    }
  }

  #header(name: string, value: string): void {
    this.#octet(0x1a);
    this.#varint(headerLength(name, value));
    this.#text(0x0a, name);
    this.#text(0x12, value);
  }

  #metadata(metadata: Uint8Array): void {
    this.#octet(0x32);
    this.#varint(metadata.length);
    this.#slab.set(metadata, this.#at);
    this.#at += metadata.length;
  }

  #text(tag: number, text: string): void {
    this.#octet(tag);
    this.#varint(Buffer.byteLength(text));
    this.#at += this.#slab.write(text, this.#at);
  }

  #octet(value: number): void {
    this.#slab[this.#at++] = value;
  }

  #varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#slab[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#slab[this.#at++] = rest;
  }

  #reserve(octets: number): void {
    if (this.#slab.length - this.#at >= octets) return;
    this.#slab = Buffer.allocUnsafeSlow(Math.max(octets, slabOctets));
    this.#at = 0;
  }
}

function statusLength(plan: RequestPlan, after: readonly number[], i: number, nowSeconds: number): number {
  const each = plan.descriptors[i]!;
  const remaining = limitRemaining(each, after[i]!);
  const remainingLength = remaining === 0 ? 0 : 1 + varintLength(remaining);
  if (each.windowSeconds === 0) return 2 + remainingLength;
  const resetLength = 3 + varintLength(secondsUntilReset(each, nowSeconds));
  return 2 + encodedLimit(each.rule!).length + remainingLength + resetLength;
}

function headerLength(name: string, value: string): number {
  const nameLength = Buffer.byteLength(name);
  const valueLength = Buffer.byteLength(value);
  return 2 + varintLength(nameLength) + nameLength + varintLength(valueLength) + valueLength;
}

function varintLength(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  return value < 0x1000_0000 ? 4 : 5;
}

/** `current_limit` of a rule with its tag and length, made once. */
function encodedLimit(rule: LimitRule): Uint8Array {
  let encoded = encodedLimits.get(rule);
  if (encoded === undefined) {
    const body: number[] = [];
    if (rule.requestsPerUnit !== 0) body.push(0x08, ...varint(rule.requestsPerUnit));
    body.push(0x10, rule.unit);
    if (rule.name !== '') {
      const name = Buffer.from(rule.name);
      body.push(0x1a, ...varint(name.length), ...name);
    }
    encoded = Uint8Array.of(0x12, ...varint(body.length), ...body);
    encodedLimits.set(rule, encoded);
  }
  return encoded;
}

function varint(value: number): number[] {
  const octets: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) octets.push((rest % 0x80) | 0x80);
  octets.push(rest);
  return octets;
}
