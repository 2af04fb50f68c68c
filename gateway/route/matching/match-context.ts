import type { StreamInfo } from '#gateway/api/stream-info.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';

/** What matchers may look at. A network filter has no heads. Access-log contexts are of this shape too. */
export interface MatchContext {
  readonly request: RequestHead | null;
  readonly response: ResponseHead | null;
  readonly streamInfo: StreamInfo;
}

/** Judges a request or a connection. Pure. */
export interface MatchPredicate {
  matches(context: MatchContext): boolean;
}

/** Matches always. */
export const always: MatchPredicate = { matches: () => true };

/** Matches never. */
export const never: MatchPredicate = { matches: () => false };

/** Matches when all of `parts` do; true for none. */
export function allOf(parts: readonly MatchPredicate[]): MatchPredicate {
  return {
    matches(context) {
      for (let i = 0; i < parts.length; i++) if (!parts[i]!.matches(context)) return false;
      return true;
    },
  };
}

/** Matches when one of `parts` does; false for none. */
export function anyOf(parts: readonly MatchPredicate[]): MatchPredicate {
  return {
    matches(context) {
      for (let i = 0; i < parts.length; i++) if (parts[i]!.matches(context)) return true;
      return false;
    },
  };
}

/** Matches when `part` does not. */
export function not(part: MatchPredicate): MatchPredicate {
  return { matches: (context) => !part.matches(context) };
}
