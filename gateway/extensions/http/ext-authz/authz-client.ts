import type { JsonValue, StreamInfo } from '#gateway/api/stream-info.ts';
import type { Cancellable } from '#gateway/api/upstream.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';

/** What the authorization service is asked about. */
export interface CheckInput {
  readonly head: RequestHead;
  readonly streamInfo: StreamInfo;
  /** Null: the body was not waited for. */
  readonly body: Uint8Array | null;
  /** Whether `body` is only its beginning. */
  readonly partial: boolean;
  readonly contextExtensions: { readonly [key: string]: string };
}

/** How a response header of the service is put on the response. HeaderValueOption.append_action by number. */
export interface ResponseHeaderChange {
  readonly name: string;
  readonly value: string;
  readonly action: number;
}

/** The service's answer. Headers are `[name, value, ...]`. */
export interface Verdict {
  readonly kind: 'ok' | 'denied' | 'error';
  /** Status and body of the answer to the client; 0: the default of the kind. */
  readonly status: number;
  readonly body: string | Uint8Array;
  readonly clientHeaders: readonly string[];
  /** Changes of the request when it goes on. */
  readonly setHeaders: readonly string[];
  /** Joined to a header that is there; not added otherwise. */
  readonly appendHeaders: readonly string[];
  readonly addHeaders: readonly string[];
  readonly removeHeaders: readonly string[];
  readonly setParameters: readonly string[];
  readonly removeParameters: readonly string[];
  readonly responseHeaders: readonly ResponseHeaderChange[];
  readonly metadata: { [key: string]: JsonValue } | null;
}

const plain: Verdict = {
  kind: 'error',
  status: 0,
  body: '',
  clientHeaders: [],
  setHeaders: [],
  appendHeaders: [],
  addHeaders: [],
  removeHeaders: [],
  setParameters: [],
  removeParameters: [],
  responseHeaders: [],
  metadata: null,
};

/** A verdict with everything left out being empty. */
export function verdictOf(kind: Verdict['kind'], parts: Partial<Verdict> = {}): Verdict {
  return { ...plain, ...parts, kind };
}

/** Told the verdict, once; maybe before `check` returns. */
export interface CheckCallbacks {
  onVerdict(verdict: Verdict): void;
}

/** Asks an authorization service. */
export interface AuthzClient {
  check(input: CheckInput, callbacks: CheckCallbacks): Cancellable | null;
}
