import { celText } from '#gateway/base/cel-text.ts';
import { octetText } from '#gateway/base/octet-text.ts';
import { ConfigError, joinPath } from '#gateway/config/diagnostics.ts';
import { typeNameOf, unpackAny } from '#gateway/proto/registry.ts';
import type { TypedExtensionConfig } from '#proto-types/envoy/config/core/v3/extension_pb.ts';
import type { Descriptor } from '#proto-types/envoy/extensions/rate_limit_descriptors/expr/v3/expr_pb.ts';
import { type CelEvaluation, compileCelValue, compileOldCelValue } from './matching/cel-expression.ts';
import type { RateLimitAction } from './rate-limit-action.ts';

const configType = 'envoy.extensions.rate_limit_descriptors.expr.v3.Descriptor';

/** Compiles the action that takes a descriptor's value from a CEL expression. Throws ConfigError with a path relative to the action. */
export function compileCelDescriptor({ typedConfig }: TypedExtensionConfig): RateLimitAction {
  const type = typedConfig === undefined ? '' : typeNameOf(typedConfig);
  if (typedConfig === undefined || type !== configType)
    throw new ConfigError('extension.typed_config', `there is no rate limit descriptor extension of type '${type}'`);
  const { descriptorKey, skipIfError, exprSpecifier } = unpackAny<Descriptor>(typedConfig);
  const key = octetText(descriptorKey);
  const evaluate = compiled(exprSpecifier);
  return {
    entry({ head, streamInfo }) {
      const value = celText(evaluate({ request: head, response: null, streamInfo }));
      if (value === null) return skipIfError ? 'skip' : null;
      return { key, value };
    },
  };
}

function compiled(expression: Descriptor['exprSpecifier']): CelEvaluation {
  const field = expression.case === 'parsed' ? 'parsed' : 'text';
  try {
    if (expression.case === 'text') return compileCelValue(expression.value);
    if (expression.case === 'parsed') return compileOldCelValue(expression.value);
  } catch (error) {
    if (error instanceof ConfigError)
      throw new ConfigError(joinPath(`extension.typed_config.${field}`, error.path), error.problem);
    throw error;
  }
  throw new ConfigError('extension.typed_config', 'an expression is required');
}
