/**
 * `path` with its query parsed and written anew: `removed` parameters left out, then `set` (`[name, value, ...]`) put in,
 * each in place of all of its name. As Envoy writes it: sorted by name, every parameter with an equals sign; values stay
 * percent-encoded as they came.
 */
export function rewriteQuery(path: string, set: readonly string[], removed: readonly string[]): string {
  const fragment = path.indexOf('#');
  const end = fragment === -1 ? path.length : fragment;
  const question = path.indexOf('?');
  const start = question === -1 || question > end ? end : question;
  const parameters = new Map<string, string[]>();
  for (const pair of path.slice(start + 1, end).split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = equals === -1 ? pair : pair.slice(0, equals);
    const value = equals === -1 ? '' : pair.slice(equals + 1);
    const known = parameters.get(name);
    if (known === undefined) parameters.set(name, [value]);
    else known.push(value);
  }
  for (const name of removed) parameters.delete(name);
  for (let i = 0; i < set.length; i += 2) parameters.set(set[i]!, [set[i + 1]!]);
  const names = [...parameters.keys()].sort((a, b) => (a < b ? -1 : 1));
  const query = names.flatMap((name) => parameters.get(name)!.map((value) => `${name}=${value}`)).join('&');
  return path.slice(0, start) + (query === '' ? '' : `?${query}`) + path.slice(end);
}
