import type { DescriptorEntry, LimitDescriptor, LimitRequest } from '../limiter/request.ts';
import type { DescriptorSpec, EntrySpec, FieldTest } from './descriptor-spec.ts';
import { readLimitOverride } from './limit-override.ts';
import type { LogFields, TextGetter } from './log-fields.ts';

/** An entry whose fields are found in the log. */
interface Entry {
  readonly spec: EntrySpec;
  readonly get: TextGetter;
  /** A text without fields is always the same, and not part of the key. */
  readonly constant: string | null;
}

/** A condition whose fields are found in the log. */
interface Condition {
  readonly tests: readonly { readonly get: TextGetter; readonly test: FieldTest }[];
  readonly negated: boolean;
}

/** A descriptor whose fields are found in the log. */
interface Descriptor {
  readonly spec: DescriptorSpec;
  readonly entries: readonly Entry[];
  readonly conditions: readonly Condition[];
  readonly hits: TextGetter | null;
  /** Null: the request brings no limit, or always the same. */
  readonly limit: TextGetter | null;
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
      entries: spec.entries.map((entry) => ({
        spec: entry,
        get: valueGetter(entry, fields),
        constant: constant(entry),
      })),
      conditions: spec.conditions.map(({ tests, negated }) => ({
        tests: tests.map((test) => ({ get: fields.text(test.text), test })),
        negated,
      })),
      hits: spec.hits === null ? null : fields.text(spec.hits),
      limit: typeof spec.limit === 'string' ? fields.text(spec.limit) : null,
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
      const { entries, conditions, limit } = this.#descriptors[i]!;
      if (conditions.length > 0 && !conditions.every(holds)) continue;
      let part = `${i};`;
      let found = 0;
      let dropped = false;
      for (const { get, constant: fixed, spec } of entries) {
        let value = fixed ?? get();
        if ((value === null || value === '') && spec.fallback !== null) value = spec.fallback;
        if (value === null && !spec.optional) {
          dropped = true;
          break;
        }
        if (value !== null) found++;
        if (fixed === null) part += value === null ? '-' : `${value.length}:${value}`;
      }
      if (dropped) continue;
      if (limit !== null) {
        const override = readLimitOverride(limit());
        part += override === null ? ';' : `${override.requestsPerUnit}/${override.unit};`;
      }
      // One without entries is asked about too; a limit that the request brings along holds for it.
      if (found > 0) this.made[i]!++;
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
      const { entries: templates, spec, limit: ownLimit } = this.#descriptors[index]!;
      const entries: DescriptorEntry[] = [];
      for (const { spec: entry, constant: fixed } of templates) {
        if (fixed !== null) entries.push({ key: entry.key, value: fixed });
        else if (key[at] === '-') at++;
        else {
          const colon = key.indexOf(':', at);
          const end = colon + 1 + Number(key.slice(at, colon));
          entries.push({ key: entry.key, value: key.slice(colon + 1, end) });
          at = end;
        }
      }
      let limit = typeof spec.limit === 'object' ? spec.limit : null;
      if (ownLimit !== null) {
        const end = key.indexOf(';', at);
        const [requestsPerUnit, unit] = key.slice(at, end).split('/').map(Number);
        if (unit !== undefined) limit = { requestsPerUnit: requestsPerUnit!, unit };
        at = end + 1;
      }
      const descriptor: LimitDescriptor = { entries, limit, hitsAddend: 1 };
      if (spec.when === 'start' || spec.when === 'in-flight') {
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

function holds({ tests, negated }: Condition): boolean {
  return tests.every(({ get, test }) => test.matches(get())) !== negated;
}

/** The value of an entry, before its fallback. */
function valueGetter({ text, lenient = false, change, evaluated }: EntrySpec, fields: LogFields): TextGetter {
  if (evaluated !== undefined) {
    const getters = evaluated.fields.map((field) => fields.text(field));
    return () => evaluated.of(getters.map((get) => get()));
  }
  const own = fields.text(text, lenient);
  const get: TextGetter = lenient ? () => own() || null : own;
  return change === undefined ? get : () => change(get());
}

/** The text when it has no field, else null. */
function constant({ text, fallback, lenient, change, evaluated }: EntrySpec): string | null {
  if (lenient === true || change !== undefined || evaluated !== undefined) return null;
  if (/%/.test(text.replaceAll('%%', ''))) return null;
  const fixed = text.replaceAll('%%', '%');
  return fixed === '' && fallback !== null ? fallback : fixed;
}
