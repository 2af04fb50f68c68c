/** An operator that was read from a text, and where what follows it begins. */
export interface ReadOperator<T> {
  readonly operator: T;
  readonly end: number;
}

/**
 * Splits a text into literal texts and `%` operators, in order; `%%` is a percent sign. `read` is given where an operator begins
 * and throws when none does.
 */
export function splitOperators<T extends object>(
  text: string,
  read: (text: string, percent: number) => ReadOperator<T>,
): (string | T)[] {
  const parts: (string | T)[] = [];
  let literal = '';
  let at = 0;
  for (;;) {
    const percent = text.indexOf('%', at);
    if (percent === -1) break;
    literal += text.slice(at, percent);
    if (text[percent + 1] === '%') {
      literal += '%';
      at = percent + 2;
      continue;
    }
    const { operator, end } = read(text, percent);
    if (literal !== '') parts.push(literal);
    literal = '';
    parts.push(operator);
    at = end;
  }
  literal += text.slice(at);
  if (literal !== '') parts.push(literal);
  return parts;
}
