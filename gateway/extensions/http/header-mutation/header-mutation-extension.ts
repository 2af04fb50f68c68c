import type { Message } from '@bufbuild/protobuf';
import type { ExtensionContext } from '#gateway/api/context.ts';
import type { HttpFilterExtension } from '#gateway/api/extension.ts';
import type { FilterChainBuilder, HttpFilterFactory } from '#gateway/api/http-filter.ts';
import type {
  HeaderMutation,
  HeaderMutationPerRoute,
} from '#proto-types/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.ts';
import { type HeaderMutationConfig, HeaderMutationFilter } from './header-mutation-filter.ts';
import { compileMutations } from './mutations.ts';

/** envoy.filters.http.header_mutation: changes headers, trailers and query parameters. */
export const headerMutationExtension: HttpFilterExtension = {
  name: 'envoy.filters.http.header_mutation',
  configType: 'envoy.extensions.filters.http.header_mutation.v3.HeaderMutation',
  routeConfigType: 'envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute',
  createFactory(message: Message, context: ExtensionContext): HttpFilterFactory {
    const { mutations, mostSpecificHeaderMutationsWins } = message as HeaderMutation;
    const config: HeaderMutationConfig = {
      mutations: compileMutations(mutations, context.diagnostics),
      mostSpecificWins: mostSpecificHeaderMutationsWins,
    };
    return {
      terminal: false,
      createFilter(chain: FilterChainBuilder): void {
        chain.addFilter(new HeaderMutationFilter(config));
      },
    };
  },
  createRouteConfig(message: Message, context: ExtensionContext): unknown {
    return compileMutations((message as HeaderMutationPerRoute).mutations, context.diagnostics);
  },
};
