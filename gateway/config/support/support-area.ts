/** What the gateway does with the fields of one message. */
export interface MessageSupport {
  /** Fields that work, in Envoy's spelling; `'all'` for every field of the message. */
  readonly implemented: readonly string[] | 'all';
  /** Fields that are accepted and change no answer, each with the reason. */
  readonly noEffect?: Readonly<Record<string, string>>;
  /** Fields that are read as another one when the configuration is a text, each with that other. */
  readonly rewritten?: Readonly<Record<string, string>>;
  /** Enum fields of which only these values work, by name. */
  readonly values?: Readonly<Record<string, readonly string[]>>;
}

/** The messages of one area of the configuration, or of one extension, by their full names. */
export type SupportArea = Readonly<Record<string, MessageSupport>>;

/** Keeps an area's literal types while checking them. */
export function supportArea(area: SupportArea): SupportArea {
  return area;
}
