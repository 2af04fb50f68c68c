import type { DescMessage } from '@bufbuild/protobuf';
import { messageSchema } from '#gateway/proto/registry.ts';
import type { Bootstrap } from '#proto-types/envoy/config/bootstrap/v3/bootstrap_pb.ts';
import type { Diagnostics } from '../diagnostics.ts';
import { clusterChecks } from './semantic-cluster.ts';
import type { SemanticChecks, SemanticContext } from './semantic-context.ts';
import { listenerChecks } from './semantic-listener.ts';
import { routeChecks } from './semantic-route.ts';
import { sourceChecks } from './semantic-sources.ts';
import { walkMessages } from './walk-messages.ts';

const CHECKS: SemanticChecks = { ...clusterChecks, ...listenerChecks, ...routeChecks, ...sourceChecks };

/**
 * Checks of a whole bootstrap beyond its validation rules: what names what, which names may stand once, which files must be
 * there. Only what Envoy refuses at load is an error.
 */
export function checkSemantics(
  bootstrap: Bootstrap,
  found: Diagnostics,
  world: Pick<SemanticContext, 'fileExists' | 'unread'>,
): void {
  const resources = bootstrap.staticResources;
  const context: SemanticContext = {
    clusters: new Set(resources?.clusters.map((cluster) => cluster.name)),
    secrets: new Set(resources?.secrets.map((secret) => secret.name)),
    ...world,
  };
  const at = found.at('static_resources');
  checkOnce(resources?.clusters ?? [], 'clusters', 'cluster', at);
  checkOnce(resources?.listeners ?? [], 'listeners', 'listener', at);
  checkOnce(resources?.secrets ?? [], 'secrets', 'secret', at);
  const type = messageSchema(bootstrap.$typeName) as unknown as DescMessage;
  walkMessages(type, bootstrap, '', (message, path) => CHECKS[message.$typeName]?.(message, found.at(path), context));
}

function checkOnce(items: readonly { readonly name: string }[], field: string, what: string, found: Diagnostics): void {
  const seen = new Set<string>();
  for (const [i, { name }] of items.entries()) {
    if (name !== '' && seen.has(name)) found.error(`${field}[${i}].name`, `a second ${what} "${name}"`);
    seen.add(name);
  }
}
