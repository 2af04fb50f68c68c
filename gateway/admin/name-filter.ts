import { RE2JS } from 're2js';

/** Whether a name is shown. */
export type NameFilter = (name: string) => boolean;

/**
 * Compiles the `filter` and `invert_filter` of a query: RE2, matching anywhere in the name. Null: no filter. Answers a
 * text instead when the expression is malformed.
 */
export function nameFilter(query: URLSearchParams): NameFilter | null | { readonly error: string } {
  const pattern = query.get('filter') ?? '';
  if (pattern === '') return null;
  try {
    const regex = RE2JS.compile(pattern);
    const invert = query.has('invert_filter') && query.get('invert_filter') !== 'false';
    return (name) => regex.matcher(name).find() !== invert;
  } catch (error) {
    return { error: `Invalid re2 regex: ${error instanceof Error ? error.message : String(error)}` };
  }
}
