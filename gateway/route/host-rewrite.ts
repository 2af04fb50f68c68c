import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import type { RouteAction } from '#proto-types/envoy/config/route/v3/route_components_pb.ts';
import { barePath } from './path-matcher.ts';
import { compileRegexRewrite } from './path-rewrite.ts';

/** The new Host for a request, or '' to leave it. */
export type HostRewrite = (head: RequestHead) => string;

/** Compiles a route action's host rewrite; null when there is none (auto_host_rewrite is the router's work). */
export function compileHostRewrite({ hostRewriteSpecifier: specifier }: RouteAction): HostRewrite | null {
  switch (specifier.case) {
    case 'hostRewriteLiteral': {
      const host = specifier.value;
      return host === '' ? null : () => host;
    }
    case 'hostRewriteHeader': {
      const name = specifier.value.toLowerCase();
      return name === '' ? null : (head) => head.get(name) ?? '';
    }
    case 'hostRewritePathRegex': {
      const rewrite = compileRegexRewrite(specifier.value, 'host_rewrite_path_regex');
      return (head) => rewrite.apply(barePath(head.path));
    }
    default:
      return null;
  }
}
