/** One stream, as /status shows it. */
export interface SdsStreamStatus {
  readonly peer: string;
  /** Names in the client's certificate; empty without one. */
  readonly identity: readonly string[];
  readonly node: string;
  readonly kind: 'stream' | 'delta';
  /** Null: everything that it may have. */
  readonly wants: readonly string[] | null;
  /** Wanted, but not allowed. */
  readonly denied: readonly string[];
  readonly since: string;
  /** Version of the last response; '' before the first. */
  readonly sent: string;
  /** Version that the client said is in force; '' before the first. */
  readonly acknowledged: string;
  /** Null: the last response was not refused. */
  readonly refused: SdsRefusal | null;
}

/** A NACK. */
export interface SdsRefusal {
  readonly version: string;
  readonly at: string;
  /** What the client said, cut to a thousand characters. */
  readonly message: string;
}

/** What can be told of an SDS server; nothing secret. */
export interface SdsStatus {
  /** Streams open now. */
  readonly streams: number;
  /** The first thousand of them. */
  readonly clients: readonly SdsStreamStatus[];
  /** The last hundred NACKs, also of streams that are gone; latest first. */
  readonly refusals: readonly (SdsRefusal & { readonly peer: string; readonly identity: readonly string[] })[];
}
