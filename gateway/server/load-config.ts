import { readFileSync } from 'node:fs';
import { type Diagnostics, formatDiagnostic } from '#gateway/config/diagnostics.ts';
import { type Loaded, loadBootstrap, loadMessage } from '#gateway/config/load/load-message.ts';
import { checkSemantics } from '#gateway/config/load/semantic.ts';
import { decodeMessage, encodeMessage } from '#gateway/proto/registry.ts';
import { isPresent } from '#gateway/runtime/files.ts';
import type { Bootstrap } from '#proto-types/envoy/config/bootstrap/v3/bootstrap_pb.ts';
import type { ServerOptions } from './options.ts';

const bootstrapType = 'envoy.config.bootstrap.v3.Bootstrap';
const inlineName = '--config-yaml';

/** A bootstrap that was read, or why there is none. */
export type LoadedConfig = Loaded<Bootstrap> | { readonly unreadable: string };

/** Reads `--config-path` and `--config-yaml`; with both, the second is merged over the first as protobuf merges. */
export function loadConfig(options: Pick<ServerOptions, 'configPath' | 'configYaml'>): LoadedConfig {
  const { configPath, configYaml } = options;
  if (configPath === '' && configYaml === '')
    return { unreadable: 'one of --config-path and --config-yaml is required' };
  if (configPath === '') return loadBootstrap(configYaml, inlineName, { format: 'yaml' });
  let text: string;
  try {
    text = readFileSync(configPath, 'utf8');
  } catch (error) {
    return { unreadable: `cannot read '${configPath}': ${error instanceof Error ? error.message : String(error)}` };
  }
  if (configYaml === '') return loadBootstrap(text, configPath);
  const base = loadMessage<Bootstrap>(bootstrapType, text, configPath);
  const over = loadMessage<Bootstrap>(bootstrapType, configYaml, inlineName, { format: 'yaml' });
  const { diagnostics } = base;
  for (const { severity, path, problem, suggestion } of over.diagnostics.all) {
    const text = `${inlineName}: ${problem}`;
    if (severity === 'error') diagnostics.error(path, text, suggestion);
    else diagnostics.warning(path, text, suggestion);
  }
  // Two encodings one after the other decode to the merged message.
  const first = encodeMessage(base.message);
  const second = encodeMessage(over.message);
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  const message = decodeMessage<Bootstrap>(bootstrapType, both);
  const unread = (path: string): boolean => diagnostics.errors.some((found) => found.path === path);
  checkSemantics(message, diagnostics, { fileExists: isPresent, unread });
  return { message, diagnostics };
}

/** Everything found, one line each. */
export function describeAll(diagnostics: Diagnostics): string[] {
  return diagnostics.all.map(formatDiagnostic);
}
