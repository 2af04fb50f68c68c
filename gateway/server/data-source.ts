import { Buffer } from 'node:buffer';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { readBoundedFile } from '#gateway/runtime/files.ts';
import { environmentVariable } from '#gateway/runtime/process.ts';
import type { DataSource } from '#proto-types/envoy/config/core/v3/base_pb.ts';

/** Of a file: certificates, keys, keys of tokens and texts take far less. */
const maxFileOctets = 64 * 1024 * 1024;

/** Reads an envoy.config.core.v3.DataSource. Null, with the reason in `diagnostics`, when it cannot be had. */
export function readDataSource(source: DataSource, diagnostics: Diagnostics): Uint8Array | null {
  const { specifier } = source;
  switch (specifier.case) {
    case 'filename':
      try {
        return readBoundedFile(specifier.value, maxFileOctets);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        diagnostics.error('filename', `cannot read '${specifier.value}': ${reason}`);
        return null;
      }
    case 'inlineBytes':
      return specifier.value;
    case 'inlineString':
      return Buffer.from(specifier.value, 'utf8');
    case 'environmentVariable': {
      const value = environmentVariable(specifier.value);
      if (value !== null) return Buffer.from(value, 'utf8');
      diagnostics.error('environment_variable', `environment variable '${specifier.value}' is not set`);
      return null;
    }
    default:
      diagnostics.error('', 'one of filename, inline_bytes, inline_string, environment_variable is required');
      return null;
  }
}
