import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fieldClass, supportTable } from '#gateway/config/support/field-class.ts';
import { protoRegistry } from '#gateway/proto/registry.ts';

const gateway = fileURLToPath(new URL('../../gateway', import.meta.url));

/** Folders whose mention of a field says nothing about what the gateway does with it. */
const NOT_COUNTED = ['config/load', 'config/support', 'proto/gen'];

/** Messages that are handed on as a whole, or whose presence is all that counts. */
const AS_A_WHOLE: ReadonlySet<string> = new Set([
  // Sent to the services that the gateway asks for configuration.
  'envoy.config.core.v3.Node',
  'envoy.config.core.v3.BuildVersion',
  'envoy.type.v3.SemanticVersion',
]);

/** Packages of CEL expressions, which the CEL library reads. */
const HANDED_ON = ['cel.expr.', 'google.api.expr.v1alpha1.'];

/** Fields that need no code, each with the reason. */
const WITHOUT_CODE: Readonly<Record<string, string>> = {
  'envoy.config.cluster.v3.Cluster.round_robin_lb_config':
    'nothing in it is supported, so it says no more than lb_policy',
  'envoy.config.core.v3.ConfigSource.resource_api_version': 'there is but v3: other values are refused',
  'envoy.config.route.v3.RouteConfiguration.validate_clusters': 'the loader checks the clusters',
};

/** Every word of the gateway's sources. */
function sourceWords(): ReadonlySet<string> {
  const words = new Set<string>();
  for (const entry of readdirSync(gateway, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || !path.endsWith('.ts')) continue;
    if (NOT_COUNTED.some((folder) => path.slice(gateway.length + 1).startsWith(folder))) continue;
    for (const word of readFileSync(path, 'utf8').match(/[A-Za-z_]\w*/g) ?? []) words.add(word);
  }
  return words;
}

test('a field listed as implemented is named somewhere in the code that serves', () => {
  const words = sourceWords();
  const unused: string[] = [];
  for (const typeName of supportTable().keys()) {
    if (AS_A_WHOLE.has(typeName) || HANDED_ON.some((name) => typeName.startsWith(name))) continue;
    for (const field of protoRegistry().getMessage(typeName)?.fields ?? []) {
      const name = `${typeName}.${field.name}`;
      if (fieldClass(field).kind !== 'implemented' || name in WITHOUT_CODE) continue;
      // A member of a oneof is named by its case, everything else as a property.
      if (!words.has(field.localName)) unused.push(name);
    }
  }
  assert.deepEqual(unused, [], 'implement them, or take them out of gateway/config/support/');
});
