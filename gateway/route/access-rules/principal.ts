import { ConfigError } from '#gateway/config/diagnostics.ts';
import { compileHeaderMatcher } from '#gateway/config/matcher/header-matcher.ts';
import { compileStringMatcher } from '#gateway/config/matcher/string-matcher.ts';
import { peerCertificate } from '#gateway/formatter/peer-certificate.ts';
import type { Principal, Principal_Authenticated } from '#proto-types/envoy/config/rbac/v3/rbac_pb.ts';
import type { FilterStateMatcher } from '#proto-types/envoy/type/matcher/v3/filter_state_pb.ts';
import { atPath } from '../compile-context.ts';
import { IpSet } from '../matching/ip-set.ts';
import { allOf, always, anyOf, type MatchPredicate, never, not } from '../matching/match-context.ts';
import { compileMetadataRule, compileSourcedMetadata, compileUrlPath } from './shared-rules.ts';

/** Compiles a Principal of an RBAC policy. Throws ConfigError with a path relative to it. */
export function compilePrincipal({ identifier }: Principal): MatchPredicate {
  switch (identifier.case) {
    case 'any':
      return identifier.value ? always : never;
    case 'andIds':
      return allOf(compileList(identifier.value.ids, 'and_ids.ids'));
    case 'orIds':
      return anyOf(compileList(identifier.value.ids, 'or_ids.ids'));
    case 'notId':
      return not(atPath('not_id', () => compilePrincipal(identifier.value)));
    case 'authenticated':
      return atPath('authenticated', () => compileAuthenticated(identifier.value));
    case 'sourceIp': {
      const set = new IpSet([identifier.value], 'source_ip', true);
      return { matches: ({ streamInfo }) => set.contains(streamInfo.connection.remoteAddress) };
    }
    case 'directRemoteIp': {
      const set = new IpSet([identifier.value], 'direct_remote_ip', true);
      return { matches: ({ streamInfo }) => set.contains(streamInfo.connection.directRemoteAddress) };
    }
    case 'remoteIp': {
      const set = new IpSet([identifier.value], 'remote_ip', true);
      return { matches: ({ streamInfo }) => set.contains(streamInfo.downstreamRemoteAddress) };
    }
    case 'header': {
      const header = atPath('header', () => compileHeaderMatcher(identifier.value));
      return { matches: ({ request }) => request !== null && header.matches(request) };
    }
    case 'urlPath':
      return atPath('url_path', () => compileUrlPath(identifier.value));
    case 'metadata':
      return atPath('metadata', () => compileMetadataRule(identifier.value));
    case 'sourcedMetadata':
      return atPath('sourced_metadata', () => compileSourcedMetadata(identifier.value));
    case 'filterState':
      return atPath('filter_state', () => compileFilterState(identifier.value));
    default:
      throw new ConfigError(identifier.case ?? '', 'a principal of this kind is not supported yet');
  }
}

function compileList(ids: readonly Principal[], field: string): readonly MatchPredicate[] {
  return ids.map((id, i) => atPath(`${field}[${i}]`, () => compilePrincipal(id)));
}

/** The peer's certificate: any on TLS, or one of its URI or DNS names or its subject. */
function compileAuthenticated({ principalName }: Principal_Authenticated): MatchPredicate {
  if (principalName === undefined) return { matches: ({ streamInfo }) => streamInfo.connection.tls !== null };
  const name = atPath('principal_name', () => compileStringMatcher(principalName));
  return {
    matches({ streamInfo }) {
      const { tls } = streamInfo.connection;
      if (tls === null) return false;
      const certificate = peerCertificate(tls);
      if (certificate === null) return name.matches('');
      return (
        certificate.namesOf('uri').some((one) => name.matches(one)) ||
        certificate.namesOf('dns').some((one) => name.matches(one)) ||
        name.matches(certificate.subject)
      );
    },
  };
}

function compileFilterState({ key, matcher }: FilterStateMatcher): MatchPredicate {
  if (matcher.case !== 'stringMatch')
    throw new ConfigError(matcher.case ?? '', 'a filter state matcher of this kind is not supported yet');
  const text = atPath('string_match', () => compileStringMatcher(matcher.value));
  return {
    matches({ streamInfo }) {
      const found = streamInfo.filterState?.get(key);
      return typeof found === 'string' && text.matches(found);
    },
  };
}
