import { staticIndexByName } from './static-table.ts';

/** How fields of a name are put into a block. */
export const FieldPolicy = {
  /** Into the dynamic table when there is room, or when the value comes a second time in a row. */
  Eager: 0,
  /** Only when the value comes a second time in a row: values that mostly differ. */
  Repeated: 1,
  /** Never into the table. */
  Plain: 2,
  /** Secrets: never into any table on the way either. RFC 7541 section 7.1.3. */
  Never: 3,
  /** Connection-specific: not sent at all. RFC 9113 section 8.2.2. */
  Drop: 4,
  /** Sent only with the one value that HTTP/2 allows, `trailers`. */
  Te: 5,
} as const;
/** @see FieldPolicy */
export type FieldPolicy = (typeof FieldPolicy)[keyof typeof FieldPolicy];

const groups: readonly (readonly [FieldPolicy, string])[] = [
  [
    FieldPolicy.Repeated,
    'age content-length content-range date etag expires if-match if-modified-since if-none-match if-range ' +
      'if-unmodified-since last-modified location range referer retry-after set-cookie traceparent tracestate baggage ' +
      'x-request-id x-b3-traceid x-b3-spanid x-b3-parentspanid x-forwarded-for x-client-trace-id ' +
      'x-envoy-upstream-service-time x-ratelimit-remaining x-ratelimit-reset grpc-message grpc-timeout cookie',
  ],
  [FieldPolicy.Plain, ':path'],
  [FieldPolicy.Never, 'authorization proxy-authorization x-api-key'],
  [FieldPolicy.Drop, 'connection keep-alive proxy-connection transfer-encoding upgrade http2-settings host'],
  [FieldPolicy.Te, 'te'],
];

const policies: ReadonlyMap<string, FieldPolicy> = new Map(
  groups.flatMap(([policy, names]) => names.split(' ').map((name) => [name, policy] as const)),
);

/** Values in the dynamic table that one name may have at once and still be found. */
const valuesPerName = 4;

/** What an encoder knows about one name on one connection. */
export class NameState {
  /** Index in the static table, 0 when absent. */
  readonly staticIndex: number;
  readonly policy: FieldPolicy;
  /** The value sent last without being put into the table. */
  lastValue: string | null = null;
  /** Values put into the table, and when (the running number of the insertion). */
  readonly values: string[] = [];
  readonly insertions: number[] = [];
  #oldest = 0;
  /** Running number of the newest entry with this name; 0 when there was none. */
  newest = 0;

  constructor(name: string) {
    this.staticIndex = staticIndexByName.get(name) ?? 0;
    this.policy = policies.get(name) ?? FieldPolicy.Eager;
  }

  /** Remembers that `value` was inserted as number `insertion`. */
  inserted(value: string, insertion: number): void {
    this.newest = insertion;
    if (this.values.length < valuesPerName) {
      this.values.push(value);
      this.insertions.push(insertion);
      return;
    }
    this.values[this.#oldest] = value;
    this.insertions[this.#oldest] = insertion;
    this.#oldest = (this.#oldest + 1) % valuesPerName;
  }
}
