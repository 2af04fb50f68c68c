import { ConfigError } from '#gateway/config/diagnostics.ts';
import { compileStringMatcher } from '#gateway/config/matcher/string-matcher.ts';
import { compileMetadataMatcher } from '#gateway/config/matcher/value-matcher.ts';
import type { SourcedMetadata } from '#proto-types/envoy/config/rbac/v3/rbac_pb.ts';
import type { MetadataMatcher } from '#proto-types/envoy/type/matcher/v3/metadata_pb.ts';
import type { PathMatcher } from '#proto-types/envoy/type/matcher/v3/path_pb.ts';
import { atPath } from '../compile-context.ts';
import type { MatchPredicate } from '../matching/match-context.ts';
import { barePath } from '../path-matcher.ts';

/** MetadataSource.ROUTE. */
const fromRoute = 1;

/** Compiles a PathMatcher: the path without query and fragment. Throws ConfigError with a relative path. */
export function compileUrlPath({ rule }: PathMatcher): MatchPredicate {
  if (rule.case === undefined) throw new ConfigError('path', 'path is required');
  const path = atPath('path', () => compileStringMatcher(rule.value));
  return { matches: ({ request }) => request !== null && request.path !== '' && path.matches(barePath(request.path)) };
}

/** Compiles a MetadataMatcher over dynamic metadata. */
export function compileMetadataRule(message: MetadataMatcher): MatchPredicate {
  const metadata = compileMetadataMatcher(message);
  return { matches: ({ streamInfo }) => metadata.matches(streamInfo.dynamicMetadata) };
}

/** Compiles a MetadataMatcher over dynamic or route metadata. */
export function compileSourcedMetadata({ metadataMatcher, metadataSource }: SourcedMetadata): MatchPredicate {
  if (metadataMatcher === undefined) throw new ConfigError('metadata_matcher', 'metadata_matcher is required');
  if ((metadataSource as number) !== fromRoute)
    return atPath('metadata_matcher', () => compileMetadataRule(metadataMatcher));
  const metadata = atPath('metadata_matcher', () => compileMetadataMatcher(metadataMatcher));
  return { matches: ({ streamInfo }) => metadata.matches(streamInfo.route?.metadata ?? null) };
}
