/** Something that has statistics of its own; asked at each flush and each look. Names are full and dotted. */
export interface StatSource {
  /** What only grows. */
  counters?(): Iterable<readonly [name: string, value: number]>;
  /** What goes up and down. */
  gauges?(): Iterable<readonly [name: string, value: number]>;
}
