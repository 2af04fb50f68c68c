import { type CelInput, type CelResult, celEnv, isCelError, parse, plan } from '@bufbuild/cel';
import type { Message } from '@bufbuild/protobuf';
import { ConfigError } from '#gateway/config/diagnostics.ts';
import { compileRegex, type Regex } from '#gateway/config/matcher/regex.ts';
import { decodeMessage, encodeMessage } from '#gateway/proto/registry.ts';
import type { CheckedExpr } from '#proto-types/cel/expr/checked_pb.ts';
import type { Expr, ParsedExpr } from '#proto-types/cel/expr/syntax_pb.ts';
import type { CelExpression } from '#proto-types/xds/type/v3/cel_pb.ts';
import { CelAttributes } from './cel-attributes.ts';
import type { MatchContext, MatchPredicate } from './match-context.ts';

type AnyExpr = Expr | ParsedExpr | CheckedExpr;
type Bindings = { readonly [name: string]: CelInput };

/** Compiled patterns of `matches`, which asks anew at each evaluation. Bounded: a pattern can be made of a request. */
const patterns = new Map<string, Regex>();
const maxPatterns = 256;

// `matches` looks for the pattern anywhere in the text; the shared engine judges whole texts.
const environment = celEnv({
  re2: {
    compile(pattern: string) {
      let regex = patterns.get(pattern);
      if (regex === undefined) {
        regex = compileRegex(`(?s:.*)(?:${pattern})(?s:.*)`);
        if (patterns.size >= maxPatterns) patterns.clear();
        patterns.set(pattern, regex);
      }
      const compiled = regex;
      return { test: (text: string) => compiled.matchesAll(text) };
    },
  },
});

/** Evaluates an expression on a stream. Pure. */
export type CelEvaluation = (context: MatchContext) => CelResult;

function planCel(expr: AnyExpr): CelEvaluation {
  let evaluate: (bindings: Bindings) => CelResult;
  try {
    evaluate = plan(environment, expr as Parameters<typeof plan>[1]) as (bindings: Bindings) => CelResult;
  } catch (error) {
    throw new ConfigError('', `invalid CEL expression: ${(error as Error).message}`);
  }
  return (context) => evaluate(new CelAttributes(context) as unknown as Bindings);
}

/** Compiles a parsed CEL expression that judges a stream: an error or anything but `true` is no match. */
function compileCel(expr: AnyExpr): MatchPredicate {
  const evaluate = planCel(expr);
  return {
    matches(context) {
      const result = evaluate(context);
      return !isCelError(result) && result === true;
    },
  };
}

function parseCel(text: string): ParsedExpr {
  try {
    return parse(text) as unknown as ParsedExpr;
  } catch (error) {
    throw new ConfigError('', `invalid CEL expression: ${(error as Error).message}`);
  }
}

/** Compiles CEL source text for its value. Throws ConfigError with an empty path. */
export function compileCelValue(text: string): CelEvaluation {
  return planCel(parseCel(text));
}

/** The same of an expression of the package google.api.expr.v1alpha1. */
export function compileOldCelValue(message: Message): CelEvaluation {
  return planCel(decodeMessage<AnyExpr>('cel.expr.Expr', encodeMessage(message)));
}

/** Compiles an expression of the older google.api.expr.v1alpha1 package, whose encoding is the same. */
export function compileOldCel(
  message: Message,
  typeName: (Expr | ParsedExpr | CheckedExpr)['$typeName'],
): MatchPredicate {
  return compileCel(decodeMessage<AnyExpr>(typeName, encodeMessage(message)));
}

/** Compiles a CelExpression, in whichever form it is given. Throws ConfigError with a path relative to it. */
export function compileCelExpression(message: CelExpression | undefined): MatchPredicate {
  if (message === undefined) throw new ConfigError('', 'an expression is required');
  if (message.celExprChecked !== undefined) return compileCel(message.celExprChecked);
  if (message.celExprParsed !== undefined) return compileCel(message.celExprParsed);
  if (message.celExprString !== '') return compileCel(parseCel(message.celExprString));
  const { exprSpecifier } = message;
  if (exprSpecifier.case === 'parsedExpr') return compileOldCel(exprSpecifier.value, 'cel.expr.ParsedExpr');
  if (exprSpecifier.case === 'checkedExpr') return compileOldCel(exprSpecifier.value, 'cel.expr.CheckedExpr');
  throw new ConfigError('', 'an expression is required');
}
