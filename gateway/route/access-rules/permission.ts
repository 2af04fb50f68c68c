import { ConfigError } from '#gateway/config/diagnostics.ts';
import { compileHeaderMatcher } from '#gateway/config/matcher/header-matcher.ts';
import { compileStringMatcher } from '#gateway/config/matcher/string-matcher.ts';
import type { Permission } from '#proto-types/envoy/config/rbac/v3/rbac_pb.ts';
import { atPath } from '../compile-context.ts';
import { IpSet } from '../matching/ip-set.ts';
import { allOf, always, anyOf, type MatchPredicate, never, not } from '../matching/match-context.ts';
import { compileMetadataRule, compileSourcedMetadata, compileUrlPath } from './shared-rules.ts';

/** Compiles a Permission of an RBAC policy. Throws ConfigError with a path relative to it. */
export function compilePermission({ rule }: Permission): MatchPredicate {
  switch (rule.case) {
    case 'any':
      return rule.value ? always : never;
    case 'andRules':
      return allOf(compileList(rule.value.rules, 'and_rules.rules'));
    case 'orRules':
      return anyOf(compileList(rule.value.rules, 'or_rules.rules'));
    case 'notRule':
      return not(atPath('not_rule', () => compilePermission(rule.value)));
    case 'header': {
      const header = atPath('header', () => compileHeaderMatcher(rule.value));
      return { matches: ({ request }) => request !== null && header.matches(request) };
    }
    case 'urlPath':
      return atPath('url_path', () => compileUrlPath(rule.value));
    case 'destinationIp': {
      const set = new IpSet([rule.value], 'destination_ip', true);
      return { matches: ({ streamInfo }) => set.contains(streamInfo.connection.localAddress) };
    }
    case 'destinationPort': {
      const port = rule.value;
      return { matches: ({ streamInfo: { connection } }) => isPort(connection.localAddress, port, port + 1) };
    }
    case 'destinationPortRange': {
      const { start, end } = rule.value;
      if (start < 0 || start > 65_535 || end < 0 || end > 65_536 || start >= end)
        throw new ConfigError('destination_port_range', `invalid destination port range [${start}, ${end})`);
      return { matches: ({ streamInfo: { connection } }) => isPort(connection.localAddress, start, end) };
    }
    case 'metadata':
      return atPath('metadata', () => compileMetadataRule(rule.value));
    case 'sourcedMetadata':
      return atPath('sourced_metadata', () => compileSourcedMetadata(rule.value));
    case 'requestedServerName': {
      const name = atPath('requested_server_name', () => compileStringMatcher(rule.value));
      return { matches: ({ streamInfo }) => name.matches(streamInfo.connection.requestedServerName) };
    }
    default:
      throw new ConfigError(rule.case ?? '', 'a permission of this kind is not supported yet');
  }
}

function compileList(rules: readonly Permission[], field: string): readonly MatchPredicate[] {
  return rules.map((rule, i) => atPath(`${field}[${i}]`, () => compilePermission(rule)));
}

function isPort(address: { readonly kind: string; readonly port: number }, start: number, end: number): boolean {
  return address.kind === 'ip' && address.port >= start && address.port < end;
}
