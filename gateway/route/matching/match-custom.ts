import { ConfigError } from '#gateway/config/diagnostics.ts';
import { compileValueMatcher } from '#gateway/config/matcher/value-matcher.ts';
import { typeNameOf, unpackAny } from '#gateway/proto/registry.ts';
import type { Ip } from '#proto-types/envoy/extensions/matching/input_matchers/ip/v3/ip_pb.ts';
import type { Metadata } from '#proto-types/envoy/extensions/matching/input_matchers/metadata/v3/metadata_pb.ts';
import type { TypedExtensionConfig } from '#proto-types/xds/core/v3/extension_pb.ts';
import type { CelMatcher } from '#proto-types/xds/type/matcher/v3/cel_pb.ts';
import { atPath } from '../compile-context.ts';
import { compileCelExpression } from './cel-expression.ts';
import { IpSet } from './ip-set.ts';
import type { MatchPredicate } from './match-context.ts';
import type { MatchInput } from './match-input.ts';

const CEL = 'xds.type.matcher.v3.CelMatcher';
const IP = 'envoy.extensions.matching.input_matchers.ip.v3.Ip';
const METADATA = 'envoy.extensions.matching.input_matchers.metadata.v3.Metadata';

/** Compiles a `custom_match` over an input. Throws ConfigError with a path relative to it. */
export function compileCustomMatch(config: TypedExtensionConfig, input: MatchInput): MatchPredicate {
  const any = config.typedConfig;
  if (any === undefined) throw new ConfigError('typed_config', 'typed_config is required');
  const typeName = typeNameOf(any);
  if ((typeName === CEL) !== (input.attributes === true))
    throw new ConfigError('typed_config', `the matcher ${typeName} does not take this input`);
  switch (typeName) {
    case CEL:
      return atPath('typed_config.expr_match', () => compileCelExpression(unpackAny<CelMatcher>(any).exprMatch));
    case IP: {
      const set = new IpSet(unpackAny<Ip>(any).cidrRanges, 'typed_config.cidr_ranges');
      return {
        matches(context) {
          const text = input.text(context);
          return text !== null && set.containsText(text);
        },
      };
    }
    case METADATA: {
      const { value, invert } = unpackAny<Metadata>(any);
      const { value: read } = input;
      if (value === undefined) throw new ConfigError('typed_config.value', 'value is required');
      if (read === undefined) throw new ConfigError('typed_config', `the matcher ${typeName} does not take this input`);
      const predicate = atPath('typed_config.value', () => compileValueMatcher(value));
      return { matches: (context) => predicate.matches(read(context)) !== invert };
    }
    default:
      throw new ConfigError('typed_config', `the matcher ${typeName} is not supported yet`);
  }
}
