import type { JsonValue } from '#gateway/api/stream-info.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { Scope } from '#gateway/stats/stats.ts';
import type { LayeredRuntime } from '#proto-types/envoy/config/bootstrap/v3/bootstrap_pb.ts';
import { flattenLayer, type RuntimeLayerValues, ServerRuntime } from './runtime-flags.ts';

/** Builds the runtime from the bootstrap: static layers, then the admin layer. A layered_runtime without layers is one admin layer. */
export function createRuntime(message: LayeredRuntime | undefined, scope: Scope, found: Diagnostics): ServerRuntime {
  const layers: RuntimeLayerValues[] = [];
  let adminLayer: string | null = message !== undefined && message.layers.length === 0 ? '' : null;
  for (const [i, layer] of (message?.layers ?? []).entries()) {
    const { layerSpecifier: specifier, name } = layer;
    if (specifier.case === 'staticLayer') {
      const values = flattenLayer(specifier.value as { readonly [key: string]: JsonValue });
      layers.push({ name, values });
    } else if (specifier.case === 'adminLayer') {
      if (adminLayer !== null) found.error(`layers[${i}]`, 'there can be one admin layer only');
      else if (i !== message!.layers.length - 1) found.error(`layers[${i}]`, 'the admin layer must be the last one');
      adminLayer = name;
    } else {
      found.error(`layers[${i}]`, `a ${specifier.case ?? 'missing'} layer is not supported yet`);
    }
  }
  const runtime = new ServerRuntime(layers, adminLayer);
  const gauges = {
    num_keys: layers.reduce((sum, layer) => sum + layer.values.size, 0),
    num_layers: layers.length,
    admin_overrides_active: 0,
    deprecated_feature_seen_since_process_start: 0,
  };
  for (const [name, value] of Object.entries(gauges)) scope.gauge(`runtime.${name}`).set(value);
  for (const name of ['load_error', 'deprecated_feature_use', 'override_dir_exists', 'override_dir_not_exists']) {
    scope.counter(`runtime.${name}`);
  }
  scope.counter('runtime.load_success').inc();
  return runtime;
}
