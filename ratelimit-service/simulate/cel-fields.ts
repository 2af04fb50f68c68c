import type { Expr } from '#proto-types/cel/expr/syntax_pb.ts';
import { SimulationError } from './simulation-error.ts';

/** An attribute of an expression, and the field of a log that it is made of. */
export interface CelField {
  /** `request`, `source` or `headers`: where it stands. */
  readonly group: 'request' | 'source' | 'headers';
  readonly name: string;
  readonly field: string;
  read(value: string): string;
}

const asItIs = (value: string): string => value;

/** Attributes that a log can answer, by group and name. */
const fields: { readonly [group in 'request' | 'source']: Readonly<Record<string, Omit<CelField, 'group' | 'name'>>> } =
  {
    request: {
      path: { field: '%REQ(:PATH)%', read: asItIs },
      url_path: { field: '%REQ(:PATH)%', read: (path) => path.split(/[?#]/, 1)[0]! },
      query: { field: '%REQ(:PATH)%', read: (path) => /^[^?]*\?([^#]*)/.exec(path)?.[1] ?? '' },
      host: { field: '%REQ(:AUTHORITY)%', read: asItIs },
      method: { field: '%REQ(:METHOD)%', read: asItIs },
      referer: { field: '%REQ(REFERER)%', read: asItIs },
      useragent: { field: '%REQ(USER-AGENT)%', read: asItIs },
      id: { field: '%REQ(X-REQUEST-ID)%', read: asItIs },
    },
    source: { address: { field: '%DOWNSTREAM_REMOTE_ADDRESS%', read: asItIs } },
  };

/**
 * The attributes that an expression asks for. Throws {@link SimulationError} when one of them is not in a log, or cannot be told
 * from the expression alone, such as `request.headers[name]`.
 */
export function celFields(expression: Expr, where: string): CelField[] {
  const search = new Search(where);
  search.visit(expression, new Set());
  return [...search.found.values()];
}

class Search {
  readonly found = new Map<string, CelField>();
  readonly #where: string;

  constructor(where: string) {
    this.#where = where;
  }

  /** `locals`: variables of the comprehensions that it stands in. */
  visit(expression: Expr | undefined, locals: ReadonlySet<string>): void {
    const kind = expression?.exprKind;
    switch (kind?.case) {
      case 'identExpr':
        if (!locals.has(kind.value.name)) this.#refuse(kind.value.name);
        return;
      case 'selectExpr':
        this.#visitMember(kind.value.operand, kind.value.field, locals);
        return;
      case 'callExpr': {
        const { target, function: name, args } = kind.value;
        const [first, second] = args;
        const index = name === '_[_]' ? textOf(second) : null;
        const inside = name === '@in' && isHeaders(second) ? textOf(first) : null;
        if (index !== null) this.#visitMember(first, index, locals);
        else if (inside !== null) this.#addHeader(inside);
        else for (const each of target === undefined ? args : [target, ...args]) this.visit(each, locals);
        return;
      }
      case 'listExpr':
        for (const element of kind.value.elements) this.visit(element, locals);
        return;
      case 'structExpr':
        for (const { keyKind, value } of kind.value.entries) {
          if (keyKind.case === 'mapKey') this.visit(keyKind.value, locals);
          this.visit(value, locals);
        }
        return;
      case 'comprehensionExpr': {
        const { iterRange, accuInit, loopCondition, loopStep, result, iterVar, accuVar } = kind.value;
        this.visit(iterRange, locals);
        this.visit(accuInit, locals);
        const inner = new Set([...locals, iterVar, accuVar]);
        for (const part of [loopCondition, loopStep, result]) this.visit(part, inner);
        return;
      }
      default:
    }
  }

  #visitMember(operand: Expr | undefined, name: string, locals: ReadonlySet<string>): void {
    if (isHeaders(operand)) {
      this.#addHeader(name);
      return;
    }
    const group = identOf(operand);
    if ((group !== 'request' && group !== 'source') || locals.has(group)) {
      if (group !== null && !locals.has(group)) this.#refuse(`${group}.${name}`);
      this.visit(operand, locals);
      return;
    }
    const known = Object.hasOwn(fields[group], name) ? fields[group][name] : undefined;
    if (known === undefined) this.#refuse(`${group}.${name}`);
    this.found.set(`${group}.${name}`, { group, name, ...known });
  }

  #addHeader(name: string): void {
    const own = { group: 'headers', name, field: `%REQ(${name})%`, read: asItIs } as const;
    this.found.set(`headers.${name}`, own);
  }

  #refuse(name: string): never {
    throw new SimulationError(`${this.#where}: ${name} of a CEL expression cannot be told from a log`);
  }
}

function identOf(expression: Expr | undefined): string | null {
  return expression?.exprKind.case === 'identExpr' ? expression.exprKind.value.name : null;
}

function isHeaders(expression: Expr | undefined): boolean {
  if (expression?.exprKind.case !== 'selectExpr') return false;
  const { operand, field, testOnly } = expression.exprKind.value;
  return field === 'headers' && !testOnly && identOf(operand) === 'request';
}

function textOf(expression: Expr | undefined): string | null {
  if (expression?.exprKind.case !== 'constExpr') return null;
  const { constantKind } = expression.exprKind.value;
  return constantKind.case === 'stringValue' ? constantKind.value : null;
}
