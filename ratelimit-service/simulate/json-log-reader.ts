import type { FieldGetter, LogReader } from './log-reader.ts';

type JsonObject = { readonly [key: string]: unknown };

/**
 * Keys that logs have for Envoy's fields, besides the field's own name in small letters (`response_code`, and
 * `x_forwarded_for` for a header): those of Istio, nginx, Caddy and Elastic Common Schema.
 */
const usualKeys: Readonly<Record<string, readonly string[]>> = {
  START_TIME: ['time', 'timestamp', '@timestamp', 'ts', 'time_iso8601', 'time_local', 'date', 'msec'],
  'REQ(:METHOD)': ['request_method', 'http.request.method', 'request.method', 'http_method'],
  'REQ(:PATH)': ['request_uri', 'url.original', 'request.uri', 'uri', 'url.path', 'url'],
  'REQ(:AUTHORITY)': ['host', 'http_host', 'request.host', 'url.domain'],
  'REQ(USER-AGENT)': ['http_user_agent', 'user_agent.original'],
  'REQ(X-FORWARDED-FOR)': ['http_x_forwarded_for', 'xff'],
  'REQ(X-REQUEST-ID)': ['request_id', 'http.request.id'],
  'REQ(REFERER)': ['http_referer', 'http.request.referrer'],
  RESPONSE_CODE: ['status', 'status_code', 'http.response.status_code'],
  BYTES_SENT: ['body_bytes_sent', 'http.response.body.bytes', 'bytes', 'size'],
  BYTES_RECEIVED: ['request_length', 'http.request.body.bytes', 'bytes_read'],
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: ['remote_addr', 'client_ip', 'client.ip', 'remote_ip', 'source.ip'],
};

/** Lines of one JSON object each. Any key can be asked for, with dots for nested ones. */
export class JsonLogReader implements LogReader {
  readonly name: string = 'json';
  readonly fieldNames: readonly string[] = [];
  readonly timeReader: null = null;
  /** Keys that the user named for fields. */
  readonly #mapped: ReadonlyMap<string, string>;
  #record: JsonObject = {};

  constructor(mapped: ReadonlyMap<string, string>) {
    this.#mapped = mapped;
  }

  read(line: string): boolean {
    try {
      const value: unknown = JSON.parse(line);
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
      this.#record = value as JsonObject;
      return true;
    } catch {
      return false;
    }
  }

  field(name: string): FieldGetter | null {
    const mapped = this.#mapped.get(name);
    const keys = (mapped === undefined ? keysOf(name) : [mapped]).map((key) => ({ key, path: key.split('.') }));
    let usual = keys[0]!;
    // Of dynamic metadata a whole object can be asked for.
    if (name.startsWith('DYNAMIC_METADATA(')) {
      return () => {
        for (const { key, path } of keys) {
          const value = lookUp(this.#record, key, path) ?? objectAt(this.#record, key, path);
          if (value !== null) return value;
        }
        return null;
      };
    }
    return () => {
      const first = lookUp(this.#record, usual.key, usual.path);
      if (first !== null || keys.length === 1) return first;
      for (const each of keys) {
        const value = lookUp(this.#record, each.key, each.path);
        if (value === null) continue;
        usual = each; // the next line most likely has it too
        return value;
      }
      return null;
    };
  }
}

function keysOf(name: string): string[] {
  const header = /^(?:REQ|RESP)\((?:.*\?)?:?([^?]+)\)$/.exec(name)?.[1];
  const plain = (header ?? name).toLowerCase().replaceAll('-', '_');
  const usual = Object.hasOwn(usualKeys, name) ? usualKeys[name]! : [];
  return [...new Set([name, plain, ...(header === undefined ? [] : [header.toLowerCase()]), ...usual])];
}

/** The value at a key, which may hold dots itself, or along a path. */
function valueAt(record: JsonObject, key: string, path: readonly string[]): unknown {
  let value: unknown = Object.hasOwn(record, key) ? record[key] : undefined;
  if (value !== undefined || path.length < 2) return value;
  value = record;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as JsonObject)[step];
  }
  return value;
}

/** An object, as JSON; null when there is none. */
function objectAt(record: JsonObject, key: string, path: readonly string[]): string | null {
  const value = valueAt(record, key, path);
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : null;
}

/** A value as text; null when it is absent, empty or no scalar. */
function lookUp(record: JsonObject, key: string, path: readonly string[]): string | null {
  const value = valueAt(record, key, path);
  if (typeof value === 'string') return value === '' || value === '-' ? null : value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null;
}
