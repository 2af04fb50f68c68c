import type { ExtensionContext, ServerContext } from '#gateway/api/context.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { typeNameOf, unpackAny } from '#gateway/proto/registry.ts';
import type { Scope } from '#gateway/stats/stats.ts';
import type { HttpFilter } from '#proto-types/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import type { ChainEntry } from './manager-config.ts';

/**
 * Compiles `http_filters` (of the connection manager or of an upgrade). The last filter must be terminal, and only that.
 * Problems go to `diagnostics`; `path` is the list's name there.
 */
export function compileFilterChain(
  filters: readonly HttpFilter[],
  path: string,
  server: ServerContext,
  scope: Scope,
  diagnostics: Diagnostics,
): readonly ChainEntry[] {
  const chain: ChainEntry[] = [];
  const names = new Set<string>();
  filters.forEach((filter, i) => {
    const at = diagnostics.at(`${path}[${i}]`);
    if (names.has(filter.name)) at.error('name', `a second filter is named ${filter.name}`);
    names.add(filter.name);
    const entry = compileEntry(filter, server, scope, at);
    if (entry !== null) chain.push(entry);
  });
  checkTerminal(chain, path, diagnostics);
  return chain;
}

function compileEntry(
  filter: HttpFilter,
  server: ServerContext,
  scope: Scope,
  diagnostics: Diagnostics,
): ChainEntry | null {
  const { name, configType, isOptional, disabled } = filter;
  if (configType.case !== 'typedConfig') {
    if (!isOptional)
      diagnostics.error(configType.case === undefined ? '' : 'config_discovery', 'typed_config is required');
    return null;
  }
  const typeName = typeNameOf(configType.value);
  const extension = server.extensions.http.get(typeName);
  if (extension === undefined) {
    if (!isOptional) diagnostics.error('typed_config', `HTTP filter ${typeName} is not supported yet`);
    return null;
  }
  const at = diagnostics.at('typed_config');
  const context: ExtensionContext = { server, scope, diagnostics: at };
  const { value } = configType;
  const factory = at.try(() => extension.createFactory(unpackAny(value), context));
  return factory === undefined ? null : { name, factory, disabled };
}

function checkTerminal(chain: readonly ChainEntry[], path: string, diagnostics: Diagnostics): void {
  if (diagnostics.failed) return; // a refused filter would make this misleading
  const last = chain.at(-1);
  if (last === undefined) {
    diagnostics.error(path, 'at least one HTTP filter is required: a terminal one');
    return;
  }
  if (!last.factory.terminal)
    diagnostics.error(path, `non-terminal filter ${last.name} is the last filter; a terminal one must be`);
  for (const { name, factory } of chain.slice(0, -1)) {
    if (factory.terminal) diagnostics.error(path, `terminal filter ${name} must be the last filter`);
  }
}
