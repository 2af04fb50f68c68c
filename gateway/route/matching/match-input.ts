import type { JsonValue } from '#gateway/api/stream-info.ts';
import { ConfigError } from '#gateway/config/diagnostics.ts';
import { metadataValue } from '#gateway/config/matcher/value-matcher.ts';
import { peerCertificate } from '#gateway/formatter/peer-certificate.ts';
import { typeNameOf, unpackAny } from '#gateway/proto/registry.ts';
import type { GeneralNameKind } from '#gateway/protocol/x509/general-name.ts';
import type {
  DynamicMetadataInput,
  FilterStateInput,
} from '#proto-types/envoy/extensions/matching/common_inputs/network/v3/network_inputs_pb.ts';
import type {
  HttpRequestHeaderMatchInput,
  HttpRequestQueryParamMatchInput,
  HttpResponseHeaderMatchInput,
} from '#proto-types/envoy/type/matcher/v3/http_inputs_pb.ts';
import type { TypedExtensionConfig } from '#proto-types/xds/core/v3/extension_pb.ts';
import { queryParameter } from '../query-parameters.ts';
import type { MatchContext } from './match-context.ts';

const NETWORK = 'envoy.extensions.matching.common_inputs.network.v3.';
const SSL = 'envoy.extensions.matching.common_inputs.ssl.v3.';
const HTTP = 'envoy.type.matcher.v3.';

/** What a predicate of the unified matcher looks at. */
export interface MatchInput {
  /** The text to match, or null when there is none. */
  text(context: MatchContext): string | null;
  /** The metadata value, for the inputs that give one. */
  value?(context: MatchContext): JsonValue | undefined;
  /** True for the input that only a CEL matcher reads. */
  readonly attributes?: boolean;
}

const constantInputs: Readonly<Record<string, MatchInput>> = {
  [`${NETWORK}DestinationIPInput`]: { text: ({ streamInfo }) => ipOf(streamInfo.connection.localAddress) },
  [`${NETWORK}DestinationPortInput`]: { text: ({ streamInfo }) => portOf(streamInfo.connection.localAddress) },
  [`${NETWORK}SourceIPInput`]: { text: ({ streamInfo }) => ipOf(streamInfo.downstreamRemoteAddress) },
  [`${NETWORK}SourcePortInput`]: { text: ({ streamInfo }) => portOf(streamInfo.downstreamRemoteAddress) },
  [`${NETWORK}DirectSourceIPInput`]: { text: ({ streamInfo }) => ipOf(streamInfo.connection.directRemoteAddress) },
  [`${NETWORK}ServerNameInput`]: { text: ({ streamInfo }) => streamInfo.connection.requestedServerName || null },
  [`${SSL}UriSanInput`]: { text: (context) => alternative(context, 'uri') },
  [`${SSL}DnsSanInput`]: { text: (context) => alternative(context, 'dns') },
  [`${SSL}SubjectInput`]: {
    text({ streamInfo }) {
      const certificate = peerCertificate(streamInfo.connection.tls);
      return certificate === null ? null : certificate.subject;
    },
  },
  'xds.type.matcher.v3.HttpAttributesCelMatchInput': { text: () => null, attributes: true },
};

/** Compiles a data input of the unified matcher. Throws ConfigError with a path relative to it. */
export function compileMatchInput(config: TypedExtensionConfig | undefined): MatchInput {
  const any = config?.typedConfig;
  if (any === undefined) throw new ConfigError('typed_config', 'an input is required');
  const typeName = typeNameOf(any);
  const constant = constantInputs[typeName];
  if (constant !== undefined) return constant;
  switch (typeName) {
    case `${HTTP}HttpRequestHeaderMatchInput`: {
      const name = unpackAny<HttpRequestHeaderMatchInput>(any).headerName.toLowerCase();
      return { text: ({ request }) => (request === null ? null : request.get(name)) };
    }
    case `${HTTP}HttpResponseHeaderMatchInput`: {
      const name = unpackAny<HttpResponseHeaderMatchInput>(any).headerName.toLowerCase();
      return { text: ({ response }) => (response === null ? null : response.get(name)) };
    }
    case `${HTTP}HttpRequestQueryParamMatchInput`: {
      const name = unpackAny<HttpRequestQueryParamMatchInput>(any).queryParam;
      return { text: ({ request }) => (request === null ? null : queryParameter(request.path, name)) };
    }
    case `${NETWORK}FilterStateInput`: {
      const { key } = unpackAny<FilterStateInput>(any);
      return {
        text({ streamInfo }) {
          const found = streamInfo.filterState?.get(key);
          return typeof found === 'string' ? found : null;
        },
      };
    }
    case `${NETWORK}DynamicMetadataInput`:
      return metadataInput(unpackAny<DynamicMetadataInput>(any));
    default:
      throw new ConfigError('typed_config', `the matcher input ${typeName} is not supported yet`);
  }
}

function metadataInput({ filter, path }: DynamicMetadataInput): MatchInput {
  const keys = path.map(({ segment }) => segment.value ?? '');
  return {
    text: () => null,
    value: ({ streamInfo }) => metadataValue(streamInfo.dynamicMetadata, filter, keys),
  };
}

function ipOf(address: { readonly kind: string; readonly host: string }): string | null {
  return address.kind === 'ip' ? address.host : null;
}

function portOf(address: { readonly kind: string; readonly port: number }): string | null {
  return address.kind === 'ip' ? String(address.port) : null;
}

function alternative({ streamInfo }: MatchContext, kind: GeneralNameKind): string | null {
  const certificate = peerCertificate(streamInfo.connection.tls);
  const names = certificate?.namesOf(kind) ?? [];
  return names.length === 0 ? null : names.join(',');
}
