import type { JsonValue } from '#gateway/api/stream-info.ts';
import { ConfigError } from '#gateway/config/diagnostics.ts';
import { atPath } from '#gateway/route/compile-context.ts';
import type { MatchContext } from '#gateway/route/matching/match-context.ts';
import { compileMatchInput, type MatchInput } from '#gateway/route/matching/match-input.ts';
import { headerTextOctets } from '#gateway/route/rate-limit-call/request-writer.ts';
import type { RateLimitQuotaBucketSettings_BucketIdBuilder as BuilderMessage } from '#proto-types/envoy/extensions/filters/http/rate_limit_quota/v3/rate_limit_quota_pb.ts';
import type { TypedExtensionConfig } from '#proto-types/xds/core/v3/extension_pb.ts';

/** Key and value of one entry of a BucketId. */
export type BucketIdEntry = readonly [key: string, value: string];

/** What identifies a bucket between gateway and service: a BucketId, its entries sorted by key. */
export class BucketId {
  /** Two ids have the same text only when they are the same. */
  readonly text: string;
  readonly entries: readonly BucketIdEntry[];
  /** As dynamic metadata; to be copied. */
  readonly metadata: { [key: string]: JsonValue };

  constructor(entries: readonly BucketIdEntry[]) {
    this.entries = entries;
    let text = '';
    for (const [key, value] of entries) text += idText(key) + idText(value);
    this.text = text;
    this.metadata = Object.fromEntries(entries);
  }
}

/** The id that a message's map stands for. */
export function readBucketId(map: { readonly [key: string]: string }): BucketId {
  return new BucketId(Object.entries(map).sort(byKey));
}

interface Part {
  readonly key: string;
  /** Of the key, or of key and value where the value is constant. */
  readonly text: string;
  /** Null: read from the request. */
  readonly constant: string | null;
  readonly input: MatchInput | null;
}

/** Builds the ids of requests: a compiled BucketIdBuilder. Pure. */
export class BucketIdBuilder {
  readonly #parts: readonly Part[];
  readonly #constantText: string | null;

  constructor(parts: readonly Part[]) {
    this.#parts = parts;
    this.#constantText = parts.every(({ input }) => input === null) ? parts.map(({ text }) => text).join('') : null;
  }

  /** The text of a request's id; null when the request lacks a value it needs. Empty: nothing identifies it. */
  text(context: MatchContext): string | null {
    if (this.#constantText !== null) return this.#constantText;
    let text = '';
    for (const part of this.#parts) {
      if (part.input === null) {
        text += part.text;
        continue;
      }
      const value = part.input.text(context);
      if (value === null) return null;
      if (value !== '') text += part.text + idText(wireText(value));
    }
    return text;
  }

  /** The id itself, of a request that has one. */
  id(context: MatchContext): BucketId {
    const entries: BucketIdEntry[] = [];
    for (const { key, constant, input } of this.#parts) {
      if (constant !== null) entries.push([key, constant]);
      else {
        const value = input?.text(context) ?? '';
        if (value !== '') entries.push([key, wireText(value)]);
      }
    }
    return new BucketId(entries);
  }
}

/** Compiles one. Throws ConfigError with a path relative to the message. */
export function compileBucketIdBuilder(message: BuilderMessage): BucketIdBuilder {
  const parts = Object.entries(message.bucketIdBuilder)
    .sort(byKey)
    .map(([key, { valueSpecifier }]): Part => {
      if (valueSpecifier.case !== 'customValue') {
        const constant = valueSpecifier.value ?? '';
        return { key, text: idText(key) + idText(constant), constant, input: null };
      }
      return atPath(`bucket_id_builder["${key}"].custom_value`, () => {
        // Envoy's message and xDS's have the same fields.
        const input = compileMatchInput(valueSpecifier.value as unknown as TypedExtensionConfig);
        if (input.attributes === true || input.value !== undefined)
          throw new ConfigError('typed_config', 'this input gives no text, which a bucket id needs');
        return { key, text: idText(key), constant: null, input };
      });
    });
  return new BucketIdBuilder(parts);
}

function idText(text: string): string {
  return `${text.length}:${text}`;
}

const utf8 = new TextDecoder();

/** Header values are octets, one a character; on the wire they are text. What the service calls the bucket by. */
function wireText(value: string): string {
  for (let i = 0; i < value.length; i++) {
    if (value.charCodeAt(i) > 0x7f) return utf8.decode(headerTextOctets(value));
  }
  return value;
}

function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
