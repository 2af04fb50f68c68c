import type { Message } from '@bufbuild/protobuf';
import type { Diagnostics } from '../diagnostics.ts';

/** What the checks of single messages may know of the whole configuration. */
export interface SemanticContext {
  /** Names of the static clusters. */
  readonly clusters: ReadonlySet<string>;
  /** Names of the static secrets. */
  readonly secrets: ReadonlySet<string>;
  /** Whether a file can be read. */
  readonly fileExists: (path: string) => boolean;
  /** Whether the value at a full path could not be read, which has been reported. */
  readonly unread: (path: string) => boolean;
}

/** Judges one message beyond its validation rules; `found` is at the message's path. */
export type SemanticCheck<Shape extends Message> = (
  message: Shape,
  found: Diagnostics,
  context: SemanticContext,
) => void;

/** Checks by full message name. */
export type SemanticChecks = Readonly<Record<string, SemanticCheck<Message>>>;

/** A check for messages of one type, erased for the table; the table's key vouches for the type. */
export function checkOf<Shape extends Message>(check: SemanticCheck<Shape>): SemanticCheck<Message> {
  return check as unknown as SemanticCheck<Message>;
}
