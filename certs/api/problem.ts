import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';

/** What can go wrong, in words that programs may rely on. */
export type ProblemCode =
  | 'not_found'
  | 'bad_request'
  | 'unauthorized'
  | 'forbidden'
  | 'too_large'
  | 'wrong_media_type'
  | 'too_many_requests'
  | 'unavailable';

const kinds: Readonly<Record<ProblemCode, readonly [ContentfulStatusCode, string]>> = {
  not_found: [404, 'there is nothing here'],
  bad_request: [400, 'the request cannot be understood'],
  unauthorized: [401, 'the request is not from anybody known'],
  forbidden: [403, 'this is not allowed'],
  too_large: [413, 'the request is too large'],
  wrong_media_type: [415, 'the request must be application/json'],
  too_many_requests: [429, 'there are too many requests from this address'],
  unavailable: [503, 'this cannot be done at present'],
};

/** An answer that says what went wrong: RFC 9457, with the stable `code`. */
export function problem(c: Context, code: ProblemCode, detail: string): Response {
  const [status, title] = kinds[code];
  const body = JSON.stringify({ type: 'about:blank', title, status, code, detail });
  return c.body(body, status, { 'content-type': 'application/problem+json' });
}
