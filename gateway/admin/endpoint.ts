import type { AdminServices } from './admin-services.ts';

/** A query parameter of an endpoint, for /help. */
export interface EndpointParameter {
  readonly name: string;
  readonly help: string;
}

/** What an endpoint answers. */
export interface AdminReply {
  readonly status: 200 | 400 | 403 | 404 | 405 | 413 | 500 | 503;
  readonly type: 'text' | 'json' | 'html' | 'prometheus';
  readonly body: string;
}

/** One path of the admin interface. */
export interface AdminEndpoint {
  readonly path: string;
  /** True: it changes something, so only POST will do. */
  readonly mutates: boolean;
  readonly help: string;
  readonly parameters: readonly EndpointParameter[];
  handle(services: AdminServices, query: URLSearchParams): AdminReply;
}

/** A reply of plain text. */
export function textReply(body: string, status: AdminReply['status'] = 200): AdminReply {
  return { status, type: 'text', body };
}

/** A reply of JSON, indented by one space as Envoy's protobuf printer does. */
export function jsonReply(value: unknown): AdminReply {
  return { status: 200, type: 'json', body: `${JSON.stringify(value, null, 1)}\n` };
}

/** A flag of the query: present without a value, or anything but `false`. */
export function queryFlag(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value !== null && value !== 'false' && value !== '0';
}
