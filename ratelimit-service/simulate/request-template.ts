import type { LimitDescriptor, LimitRequest } from '../limiter/request.ts';
import { matchesWildcard } from '../limiter/wildcard.ts';
import type { DescriptorSpec } from './descriptor-spec.ts';
import type { LogFields, TextGetter } from './log-fields.ts';

/** A descriptor whose fields are found in the log. */
interface Descriptor {
  readonly spec: DescriptorSpec;
  /** Texts of the entries; those without a field are always the same and not part of the key. */
  readonly texts: readonly { readonly key: string; readonly get: TextGetter; readonly constant: string | null }[];
  readonly conditions: readonly { readonly get: TextGetter; readonly negated: boolean; readonly pattern: string }[];
  readonly hits: TextGetter | null;
}

/** What one line asks of the limits. */
export interface LineRequests {
  /** As the request comes; null when it asks for nothing then. */
  readonly start: LimitRequest | null;
  /** When it is done; null when it asks for nothing then. */
  readonly done: LimitRequest | null;
  /** The number of the template that each descriptor is made by. */
  readonly startOrigins: readonly number[];
  readonly doneOrigins: readonly number[];
}

/** Makes rate-limit requests of log lines. */
export class RequestTemplate {
  readonly #domain: string;
  readonly #descriptors: readonly Descriptor[];
  /** Lines that had each descriptor. */
  readonly made: number[];
  /** Whether any descriptor has hits of its own. */
  readonly hasHits: boolean;
  /** Whether anything happens when a request is done. */
  readonly hasDone: boolean;

  /** Throws {@link SimulationError} for a field that the log does not have. */
  constructor(domain: string, specs: readonly DescriptorSpec[], fields: LogFields) {
    this.#domain = domain;
    this.#descriptors = specs.map((spec) => ({
      spec,
      texts: spec.entries.map(({ key, text }) => {
        const constant = /%/.test(text.replaceAll('%%', '')) ? null : text.replaceAll('%%', '%');
        return { key, get: fields.text(text), constant };
      }),
      conditions: spec.conditions.map(({ text, ...rest }) => ({ get: fields.text(text), ...rest })),
      hits: spec.hits === null ? null : fields.text(spec.hits),
    }));
    this.made = specs.map(() => 0);
    this.hasHits = specs.some(({ hits }) => hits !== null);
    this.hasDone = specs.some(({ when }) => when !== 'start');
  }

  /**
   * What the line that was read last asks for, as a text: lines with equal texts ask for the same, see {@link requests}. Empty
   * when it asks for nothing. A descriptor of which any field is absent is left out, as at Envoy.
   */
  key(): string {
    let key = '';
    for (let i = 0; i < this.#descriptors.length; i++) {
      const { texts, conditions } = this.#descriptors[i]!;
      if (conditions.length > 0 && !conditions.every(holds)) continue;
      let part = `${i};`;
      for (const { get, constant } of texts) {
        if (constant !== null) continue;
        const value = get();
        if (value === null) {
          part = '';
          break;
        }
        part += `${value.length}:${value}`;
      }
      if (part === '') continue;
      this.made[i]!++;
      key += part;
    }
    return key;
  }

  /** Hits of each template for the line that was read last; null when one of them is no number. */
  hits(): number[] | null {
    const all: number[] = [];
    for (const { hits } of this.#descriptors) {
      // An absent number of octets is none: logs write `-` for 0.
      const value = hits === null ? 1 : Number(hits() ?? 0);
      if (!Number.isInteger(value) || value < 0) return null;
      all.push(value);
    }
    return all;
  }

  /** The requests that a {@link key} stands for. */
  requests(key: string): LineRequests {
    const start: LimitDescriptor[] = [];
    const done: LimitDescriptor[] = [];
    const startOrigins: number[] = [];
    const doneOrigins: number[] = [];
    let at = 0;
    while (at < key.length) {
      const semicolon = key.indexOf(';', at);
      const index = Number(key.slice(at, semicolon));
      at = semicolon + 1;
      const { texts, spec } = this.#descriptors[index]!;
      const entries = texts.map(({ key: name, constant }) => {
        if (constant !== null) return { key: name, value: constant };
        const colon = key.indexOf(':', at);
        const end = colon + 1 + Number(key.slice(at, colon));
        at = end;
        return { key: name, value: key.slice(colon + 1, end) };
      });
      const descriptor: LimitDescriptor = { entries, limit: null, hitsAddend: 1 };
      if (spec.when !== 'done') {
        start.push(descriptor);
        startOrigins.push(index);
      }
      if (spec.when !== 'start') {
        done.push(spec.when === 'done' ? descriptor : { ...descriptor, isNegativeHits: true });
        doneOrigins.push(index);
      }
    }
    const request = (descriptors: readonly LimitDescriptor[]): LimitRequest | null =>
      descriptors.length === 0 ? null : { domain: this.#domain, descriptors, hitsAddend: 0 };
    return { start: request(start), done: request(done), startOrigins, doneOrigins };
  }
}

function holds({ get, negated, pattern }: Descriptor['conditions'][number]): boolean {
  return matchesWildcard(pattern, get() ?? '') !== negated;
}
