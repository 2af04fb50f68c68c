import { type CelInput, type CelResult, celEnv, parse, plan } from '@bufbuild/cel';
import { RE2JS } from 're2js';
import { celText } from '#gateway/base/cel-text.ts';
import { decodeMessage, encodeMessage, typeNameOf, unpackAny } from '#gateway/proto/registry.ts';
import type { Expr, ParsedExpr } from '#proto-types/cel/expr/syntax_pb.ts';
import type { TypedExtensionConfig } from '#proto-types/envoy/config/core/v3/extension_pb.ts';
import type { Descriptor } from '#proto-types/envoy/extensions/rate_limit_descriptors/expr/v3/expr_pb.ts';
import { type CelField, celFields } from './cel-fields.ts';
import type { EntrySpec } from './descriptor-spec.ts';
import { SimulationError } from './simulation-error.ts';

const configType = 'envoy.extensions.rate_limit_descriptors.expr.v3.Descriptor';

// Envoy's `matches` looks for the pattern anywhere in the text.
const environment = celEnv({
  re2: {
    compile(pattern: string) {
      const regex = RE2JS.compile(pattern);
      return { test: (text: string) => regex.matcher(text).find() };
    },
  },
});

/**
 * The entry of a rate-limit descriptor whose value is a CEL expression over the request. Throws {@link SimulationError} when a log
 * does not have what it asks for.
 */
export function celEntry({ typedConfig }: TypedExtensionConfig, where: string): EntrySpec {
  const type = typedConfig === undefined ? '' : typeNameOf(typedConfig);
  if (typedConfig === undefined || type !== configType) {
    throw new SimulationError(`${where}: extension of type '${type}' cannot be told from a log`);
  }
  const { descriptorKey, skipIfError, exprSpecifier } = unpackAny<Descriptor>(typedConfig);
  const expression = expressionOf(exprSpecifier, where);
  const fields = celFields(expression, where);
  const evaluate = planned(expression, where);
  return {
    key: descriptorKey,
    text: '',
    fallback: null,
    optional: skipIfError,
    evaluated: {
      fields: fields.map(({ field }) => field),
      of: (values) => celText(evaluate(bindings(fields, values))),
    },
  };
}

function expressionOf(given: Descriptor['exprSpecifier'], where: string): Expr {
  if (given.case === 'parsed') return decodeMessage<Expr>('cel.expr.Expr', encodeMessage(given.value));
  let parsed: ParsedExpr;
  try {
    parsed = parse(given.value ?? '') as unknown as ParsedExpr;
  } catch (error) {
    throw new SimulationError(`${where}: invalid CEL expression: ${(error as Error).message}`);
  }
  if (parsed.expr === undefined) throw new SimulationError(`${where}: an expression is required`);
  return parsed.expr;
}

type Bindings = { readonly [name: string]: CelInput };

function planned(expression: Expr, where: string): (bindings: Bindings) => CelResult {
  try {
    return plan(environment, expression as unknown as Parameters<typeof plan>[1]) as (bindings: Bindings) => CelResult;
  } catch (error) {
    throw new SimulationError(`${where}: invalid CEL expression: ${(error as Error).message}`);
  }
}

function bindings(fields: readonly CelField[], values: readonly (string | null)[]): Bindings {
  const headers = new Map<string, CelInput>();
  const request = new Map<string, CelInput>([['headers', headers]]);
  const source = new Map<string, CelInput>();
  const groups = { request, source, headers };
  fields.forEach(({ group, name, read }, i) => {
    const value = values[i]!;
    if (value !== null) groups[group].set(name, read(value));
  });
  return { request, source };
}
