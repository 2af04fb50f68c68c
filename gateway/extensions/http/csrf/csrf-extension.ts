import type { Message } from '@bufbuild/protobuf';
import type { ExtensionContext } from '#gateway/api/context.ts';
import type { HttpFilterExtension } from '#gateway/api/extension.ts';
import type { FilterChainBuilder, HttpFilterFactory } from '#gateway/api/http-filter.ts';
import { readRuntimeFraction } from '#gateway/config/fraction.ts';
import { compileStringMatcher, type StringPredicate } from '#gateway/config/matcher/string-matcher.ts';
import type { CsrfPolicy as PolicyMessage } from '#proto-types/envoy/extensions/filters/http/csrf/v3/csrf_pb.ts';
import { type CsrfConfig, CsrfFilter, type CsrfPolicy } from './csrf-filter.ts';

const configType = 'envoy.extensions.filters.http.csrf.v3.CsrfPolicy';

/** envoy.filters.http.csrf: cross-site request forgery. */
export const csrfExtension: HttpFilterExtension = {
  name: 'envoy.filters.http.csrf',
  configType,
  routeConfigType: configType,
  createFactory(message: Message, context: ExtensionContext): HttpFilterFactory {
    const { server } = context;
    const scope = context.scope.scope('csrf');
    const config: CsrfConfig = {
      policy: compilePolicy(message as PolicyMessage, context),
      runtime: server.runtime,
      random: server.random,
      missing: scope.counter('missing_source_origin'),
      invalid: scope.counter('request_invalid'),
      valid: scope.counter('request_valid'),
    };
    return {
      terminal: false,
      createFilter(chain: FilterChainBuilder): void {
        chain.addDecoderFilter(new CsrfFilter(config));
      },
    };
  },
  createRouteConfig(message: Message, context: ExtensionContext): unknown {
    return compilePolicy(message as PolicyMessage, context);
  },
};

function compilePolicy(message: PolicyMessage, { diagnostics }: ExtensionContext): CsrfPolicy {
  const origins: StringPredicate[] = [];
  message.additionalOrigins.forEach((origin, i) => {
    const compiled = diagnostics.at(`additional_origins[${i}]`).try(() => compileStringMatcher(origin));
    if (compiled !== undefined) origins.push(compiled);
  });
  return {
    enabled: readRuntimeFraction(message.filterEnabled),
    shadow: readRuntimeFraction(message.shadowEnabled),
    additionalOrigins: origins,
  };
}
