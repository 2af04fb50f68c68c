import type { Formatter } from '#gateway/api/access-log.ts';
import type { RouteEntry } from '#gateway/api/route.ts';
import type { StreamInfo } from '#gateway/api/stream-info.ts';
import { formatIp, maskIp, parseIp } from '#gateway/base/ip.ts';
import { octetText } from '#gateway/base/octet-text.ts';
import { ConfigError } from '#gateway/config/diagnostics.ts';
import { allHeadersMatch, compileHeaderMatchers } from '#gateway/config/matcher/header-matcher.ts';
import { metadataValue } from '#gateway/config/matcher/value-matcher.ts';
import { compileFormat } from '#gateway/formatter/compile-format.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import type { RateLimit_Action } from '#proto-types/envoy/config/route/v3/route_components_pb.ts';
import type { MetadataKey } from '#proto-types/envoy/type/metadata/v3/metadata_pb.ts';
import { HeadFormatContext } from './format-context.ts';
import { IpSet } from './matching/ip-set.ts';
import { allParametersMatch, compileQueryMatchers, decodedQueryParameter } from './query-parameters.ts';
import { compileCelDescriptor } from './rate-limit-cel.ts';

/** What an action looks at. */
export interface RateLimitInput {
  readonly head: RequestHead;
  readonly streamInfo: StreamInfo;
  readonly route: RouteEntry | null;
  readonly localCluster: string;
}

/** One entry, in octet text; `skip`: this action adds nothing; null: the whole descriptor is dropped. */
export type RateLimitEntry = { readonly key: string; readonly value: string } | 'skip' | null;

/** One compiled rate-limit action. Pure. */
export interface RateLimitAction {
  entry(input: RateLimitInput): RateLimitEntry;
}

/** Compiles an action; `formats`: command operators in descriptor values. Throws ConfigError with a path relative to it. */
export function compileRateLimitAction(
  { actionSpecifier: action }: RateLimit_Action,
  formats: boolean,
): RateLimitAction {
  switch (action.case) {
    case 'sourceCluster':
      return { entry: ({ localCluster }) => ({ key: 'source_cluster', value: localCluster }) };
    case 'destinationCluster':
      return {
        entry: ({ route }) => (route === null ? null : { key: 'destination_cluster', value: route.clusterName }),
      };
    case 'remoteAddress':
      return {
        entry({ streamInfo: { downstreamRemoteAddress: address } }) {
          return address.kind === 'ip' ? { key: 'remote_address', value: address.host } : null;
        },
      };
    case 'maskedRemoteAddress':
      return maskedAddress(action.value.v4PrefixMaskLen ?? 32, action.value.v6PrefixMaskLen ?? 128);
    case 'requestHeaders': {
      const { skipIfAbsent } = action.value;
      const key = octetText(action.value.descriptorKey);
      const name = action.value.headerName.toLowerCase();
      const pseudo = name.startsWith(':') || name === 'host';
      return {
        entry({ head }) {
          const value = pseudo ? head.get(name) : head.headers.get(name);
          return value === null ? absent(skipIfAbsent) : { key, value };
        },
      };
    }
    case 'queryParameters': {
      const { skipIfAbsent } = action.value;
      const key = octetText(action.value.descriptorKey);
      const name = octetText(action.value.queryParameterName);
      return {
        entry({ head }) {
          const value = decodedQueryParameter(head.path, name);
          return value === null ? absent(skipIfAbsent) : { key, value };
        },
      };
    }
    case 'genericKey': {
      const key = octetText(action.value.descriptorKey) || 'generic_key';
      const value = descriptorValue(action.value.descriptorValue, action.value.defaultValue, 'generic_key', formats);
      return { entry: (input) => keyed(key, value(input)) };
    }
    case 'headerValueMatch': {
      const key = octetText(action.value.descriptorKey) || 'header_match';
      const value = descriptorValue(
        action.value.descriptorValue,
        action.value.defaultValue,
        'header_value_match',
        formats,
      );
      const headers = compileHeaderMatchers(action.value.headers, 'header_value_match.headers');
      const expect = action.value.expectMatch ?? true;
      return {
        entry: (input) => (allHeadersMatch(headers, input.head) === expect ? keyed(key, value(input)) : null),
      };
    }
    case 'queryParameterValueMatch': {
      const key = octetText(action.value.descriptorKey) || 'query_match';
      const value = descriptorValue(
        action.value.descriptorValue,
        action.value.defaultValue,
        'query_parameter_value_match',
        formats,
      );
      const parameters = compileQueryMatchers(
        action.value.queryParameters,
        'query_parameter_value_match.query_parameters',
        decodedQueryParameter,
      );
      const expect = action.value.expectMatch ?? true;
      return {
        entry: (input) =>
          allParametersMatch(parameters, input.head.path) === expect ? keyed(key, value(input)) : null,
      };
    }
    case 'remoteAddressMatch': {
      const { addressMatcher: matcher, descriptorValue: text, defaultValue } = action.value;
      const key = octetText(action.value.descriptorKey) || 'remote_address_match';
      const value = descriptorValue(text, defaultValue, 'remote_address_match', true);
      const set = new IpSet(matcher?.ranges ?? [], 'remote_address_match.address_matcher.ranges');
      const wanted = !(matcher?.invertMatch ?? false);
      return {
        entry: (input) =>
          set.contains(input.streamInfo.downstreamRemoteAddress) === wanted ? keyed(key, value(input)) : null,
      };
    }
    case 'dynamicMetadata':
      return fromMetadata(
        action.value.descriptorKey,
        action.value.metadataKey,
        action.value.defaultValue,
        false,
        false,
      );
    case 'metadata': {
      const { descriptorKey, metadataKey, defaultValue, source, skipIfAbsent } = action.value;
      return fromMetadata(descriptorKey, metadataKey, defaultValue, source === 1, skipIfAbsent);
    }
    case 'extension':
      return compileCelDescriptor(action.value);
    default:
      throw new ConfigError(action.case ?? '', 'a rate limit action of this kind is not supported yet');
  }
}

function absent(skip: boolean): RateLimitEntry {
  return skip ? 'skip' : null;
}

function keyed(key: string, value: string): RateLimitEntry {
  return value === '' ? null : { key, value };
}

function maskedAddress(v4: number, v6: number): RateLimitAction {
  return {
    entry({ streamInfo: { downstreamRemoteAddress: address } }) {
      if (address.kind !== 'ip') return null;
      const ip = parseIp(address.host);
      if (ip === null) return null;
      const length = ip.family === 6 ? v6 : v4;
      return { key: 'masked_remote_address', value: `${formatIp(maskIp(ip, length))}/${length}` };
    },
  };
}

function descriptorValue(
  text: string,
  fallback: string,
  path: string,
  formats: boolean,
): (input: RateLimitInput) => string {
  const otherwise = octetText(fallback);
  if (!formats || !text.includes('%')) {
    const constant = octetText(text) || otherwise;
    return () => constant;
  }
  let format: Formatter;
  try {
    format = compileFormat(text, true);
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError(`${path}.descriptor_value`, error.problem);
    throw error;
  }
  return ({ head, streamInfo }) => format.format(new HeadFormatContext(head, null, streamInfo)) || otherwise;
}

function fromMetadata(
  key: string,
  metadataKey: MetadataKey | undefined,
  fallback: string,
  ofRoute: boolean,
  skipIfAbsent: boolean,
): RateLimitAction {
  const ownKey = octetText(key);
  const namespace = metadataKey?.key ?? '';
  const path = (metadataKey?.path ?? []).map(({ segment }) => String(segment.value ?? ''));
  return {
    entry({ streamInfo }) {
      const source = ofRoute ? (streamInfo.route?.metadata ?? null) : streamInfo.dynamicMetadata;
      const found = metadataValue(source, namespace, path);
      const value = typeof found === 'string' && found !== '' ? found : fallback;
      return value === '' ? absent(skipIfAbsent) : { key: ownKey, value: octetText(value) };
    },
  };
}
