import type { EncodedResponse } from './encoded-responses.ts';

/** What a client's request said about the response before it. */
export type Verdict = 'first' | 'ack' | 'nack' | 'stale';

/** Names that one client may ask for or say it holds; further ones are ignored. */
export const maxNames = 1000;

/** One client's subscription, of either kind, as its stream sees it. It knows no socket. */
export interface Subscription<Request> {
  /** What the last request said. */
  readonly verdict: Verdict;
  /** Text of the last NACK. */
  readonly nackMessage: string;
  /** Names that the client wants; null: all that it may have. */
  readonly wanted: readonly string[] | null;
  /** The last response, or null before the first. */
  readonly sent: EncodedResponse | null;
  /** Takes a request. True: something is due. */
  onRequest(request: Request): boolean;
  /** The secret called `name` changed. True: something is due. */
  onSecretChanged(name: string): boolean;
  /** The response that is due as things are now, or null after all. */
  next(): EncodedResponse | null;
}
