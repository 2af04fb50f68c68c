import type { TimeReader } from './log-time.ts';

/** Reads one field of the line that was read last; null when it is absent (`-` or nothing). */
export type FieldGetter = () => string | null;

/** Takes the lines of one log format apart. It holds one line at a time. */
export interface LogReader {
  /** What the format is called in messages. */
  readonly name: string;
  /** Names of its fields; empty where any name may be asked for. */
  readonly fieldNames: readonly string[];
  /** Takes a line apart; false when it is not of this format. */
  read(line: string): boolean;
  /** A field as the log has it, by its one spelling; null when the format has none of that name. */
  field(name: string): FieldGetter | null;
  /** How a time field is written, when the format says so. */
  readonly timeReader: TimeReader | null;
}
