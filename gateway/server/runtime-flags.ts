import type { RuntimeFlags } from '#gateway/api/context.ts';
import type { JsonValue } from '#gateway/api/stream-info.ts';

/** One layer of values; later layers win. Keys of nested structs are joined with dots. */
export interface RuntimeLayerValues {
  readonly name: string;
  readonly values: ReadonlyMap<string, JsonValue>;
}

/** Flattens a static layer: `{a: {b: 1}}` is `a.b: 1`; a struct with `numerator` is a fraction. */
export function flattenLayer(struct: { readonly [key: string]: JsonValue }): Map<string, JsonValue> {
  const values = new Map<string, JsonValue>();
  const add = (prefix: string, value: JsonValue): void => {
    if (value !== null && typeof value === 'object' && !Array.isArray(value) && !('numerator' in value)) {
      for (const [key, inner] of Object.entries(value)) add(prefix === '' ? key : `${prefix}.${key}`, inner);
    } else {
      values.set(prefix, value);
    }
  };
  add('', struct as JsonValue);
  return values;
}

const denominators: { readonly [name: string]: number } = { HUNDRED: 100, TEN_THOUSAND: 10_000, MILLION: 1_000_000 };

/** layered_runtime: static layers and the one that POST /runtime_modify writes. */
export class ServerRuntime implements RuntimeFlags {
  readonly #layers: RuntimeLayerValues[];
  readonly #admin = new Map<string, JsonValue>();
  #merged = new Map<string, JsonValue>();
  /** Name of the admin layer; null when the configuration has none. */
  readonly adminLayer: string | null;

  constructor(layers: readonly RuntimeLayerValues[], adminLayer: string | null) {
    this.#layers = [...layers];
    this.adminLayer = adminLayer;
    this.#merge();
  }

  number(key: string, fallback: number): number {
    const value = this.#merged.get(key);
    if (typeof value === 'number') return value;
    if (typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value))) return Number(value);
    return fallback;
  }

  boolean(key: string, fallback: boolean): boolean {
    const value = this.#merged.get(key);
    if (typeof value === 'boolean') return value;
    return value === 'true' ? true : value === 'false' ? false : fallback;
  }

  enabled(key: string, numerator: number, denominator: number, randomUint32: number): boolean {
    const value = key === '' ? undefined : this.#merged.get(key);
    if (value === undefined) return randomUint32 % denominator < numerator;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      const share = Number(value['numerator'] ?? 0);
      const whole = denominators[String(value['denominator'] ?? 'HUNDRED')] ?? 100;
      return randomUint32 % whole < share;
    }
    // A plain number is a percentage, whatever the default's denominator.
    return randomUint32 % 100 < this.number(key, (numerator / denominator) * 100);
  }

  /** Sets (or, with an empty text, removes) overrides of the admin layer. False: there is no admin layer. */
  modify(overrides: ReadonlyMap<string, string>): boolean {
    if (this.adminLayer === null) return false;
    for (const [key, value] of overrides) {
      if (value === '') this.#admin.delete(key);
      else this.#admin.set(key, value);
    }
    this.#merge();
    return true;
  }

  /** Number of overrides in the admin layer. */
  get adminOverrides(): number {
    return this.#admin.size;
  }

  /** All layers by name, and each key's final value with its value in every layer: what /runtime shows. */
  describe(): { layers: string[]; entries: { [key: string]: { final_value: string; layer_values: string[] } } } {
    const layers =
      this.adminLayer === null ? this.#layers : [...this.#layers, { name: this.adminLayer, values: this.#admin }];
    const entries: { [key: string]: { final_value: string; layer_values: string[] } } = {};
    for (const key of [...this.#merged.keys()].sort()) {
      entries[key] = {
        final_value: show(this.#merged.get(key)),
        layer_values: layers.map((layer) => show(layer.values.get(key))),
      };
    }
    return { layers: layers.map((layer) => layer.name), entries };
  }

  #merge(): void {
    this.#merged = new Map();
    for (const { values } of this.#layers) for (const [key, value] of values) this.#merged.set(key, value);
    for (const [key, value] of this.#admin) this.#merged.set(key, value);
  }
}

function show(value: JsonValue | undefined): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
