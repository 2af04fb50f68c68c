import type { FormatterContext } from '#gateway/api/access-log.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { applyMutationList, compileMutationList, type HeaderMutations } from '#gateway/route/header-mutations.ts';
import type { Mutations as MutationsMessage } from '#proto-types/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.ts';
import { compileQueryMutations, type QueryMutation } from './query-mutation.ts';
import { QueryParameters } from './query-parameters.ts';

/** A compiled Mutations message: what one level of the configuration changes. */
export interface Mutations {
  readonly request: readonly HeaderMutations[];
  readonly query: readonly QueryMutation[];
  readonly response: readonly HeaderMutations[];
  readonly requestTrailers: readonly HeaderMutations[];
  readonly responseTrailers: readonly HeaderMutations[];
}

const nothing: Mutations = { request: [], query: [], response: [], requestTrailers: [], responseTrailers: [] };

/** Compiles the message; `mutations` is its field's name. Problems go to `diagnostics`. */
export function compileMutations(message: MutationsMessage | undefined, diagnostics: Diagnostics): Mutations {
  if (message === undefined) return nothing;
  const at = diagnostics.at('mutations');
  const list = (mutations: MutationsMessage['requestMutations'], path: string): readonly HeaderMutations[] =>
    at.try(() => compileMutationList(mutations, path)) ?? [];
  return {
    request: list(message.requestMutations, 'request_mutations'),
    query: at.try(() => compileQueryMutations(message.queryParameterMutations, 'query_parameter_mutations')) ?? [],
    response: list(message.responseMutations, 'response_mutations'),
    requestTrailers: list(message.requestTrailersMutations, 'request_trailers_mutations'),
    responseTrailers: list(message.responseTrailersMutations, 'response_trailers_mutations'),
  };
}

/** Changes a request: headers first, then the query, whose formats see the changed headers. */
export function mutateRequest(mutations: Mutations, head: RequestHead, context: FormatterContext): void {
  applyMutationList(mutations.request, head, context);
  const { query } = mutations;
  if (query.length === 0 || head.path === '') return;
  const parameters = new QueryParameters(head.path);
  for (let i = 0; i < query.length; i++) query[i]!.apply(parameters, context);
  head.path = parameters.writeTo(head.path);
}

/** Changes a response head. */
export function mutateResponse(mutations: Mutations, head: ResponseHead, context: FormatterContext): void {
  applyMutationList(mutations.response, head, context);
}

/** Changes trailers by one of the lists for trailers. */
export function mutateTrailers(list: readonly HeaderMutations[], trailers: HeaderMap, context: FormatterContext): void {
  for (let i = 0; i < list.length; i++) list[i]!.applyToTrailers(trailers, context);
}
