import { HeaderMap } from '../headers/header-map.ts';
import type { FieldSink } from '../hpack/decoder.ts';
import { FieldKind } from '../hpack/field-kind.ts';
import { Details } from './details.ts';
import { HeadLimits } from './head-limits.ts';
import type { Http2Options } from './options.ts';

/** Stands for "none under way"; never written to. */
const noEntries: string[] = [];

/** Gathers and checks trailers, which have no pseudo-headers. RFC 9113 section 8.1. One serves one connection. */
export class TrailersBuilder implements FieldSink {
  readonly limits: HeadLimits;
  #entries: string[] = noEntries; // given away with the head
  /** Why the trailers are malformed, null when they are not. */
  malformed: Details | null = null;

  constructor(options: Http2Options) {
    this.limits = new HeadLimits(options);
  }

  /** Begins new trailers. */
  reset(): void {
    this.limits.reset();
    this.#entries = [];
    this.malformed = null;
  }

  onField(name: string, value: string, kind: FieldKind): void {
    if (!this.limits.take(name, value)) return;
    if (kind === FieldKind.Invalid) this.#fail(Details.InvalidHeaderField);
    else if (name.charCodeAt(0) === 0x3a) this.#fail(Details.MessagingRule);
    else this.#entries.push(name, value);
  }

  /** The finished trailers. Null when malformed or too large. */
  finish(): HeaderMap | null {
    if (this.malformed === null) this.malformed = this.limits.exceeded;
    const entries = this.#entries;
    this.#entries = noEntries;
    return this.malformed === null ? new HeaderMap(entries) : null;
  }

  #fail(details: Details): void {
    if (this.malformed === null) this.malformed = details;
  }
}

/** Takes the fields of a block that nobody wants, so that the dynamic table stays in step. */
export const discardedFields: FieldSink = { onField() {} };
