// Writes gen/types/: TypeScript types of the descriptor set's messages, for `tsc` alone. Skipped when up to date.
// Run with Node 22.18 or later: node gateway/proto/generate-types.mjs
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { create, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { CodeGeneratorRequestSchema } from '@bufbuild/protobuf/wkt/google/protobuf/compiler/plugin_pb.js';

const here = fileURLToPath(new URL('.', import.meta.url));
const target = join(here, 'gen/types');
const stampFile = join(target, '.stamp');

const packed = readFileSync(join(here, 'gen/envoy.binpb.gz'));
const stamp = createHash('sha256')
  .update(packed)
  .update(readFileSync(fileURLToPath(import.meta.url)))
  .digest('hex');
if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) process.exit(0);

const files = new Map(fromBinary(FileDescriptorSetSchema, gunzipSync(packed)).file.map((file) => [file.name, file]));
const ordered = new Map();
for (const name of files.keys()) take(name);
const request = create(CodeGeneratorRequestSchema, {
  // The generated enums are not erasable syntax, which does not matter in files that are never run.
  parameter: 'target=ts,import_extension=ts,ts_nocheck=true',
  // @bufbuild/protobuf brings the types of google/protobuf/ itself.
  fileToGenerate: [...ordered.keys()].filter((name) => !name.startsWith('google/protobuf/')),
  protoFile: [...ordered.values()],
});
const plugin = '@bufbuild/protoc-gen-es/dist/cjs/src/protoc-gen-es-plugin.js';
const { protocGenEs } = createRequire(import.meta.url)(join(here, '../../node_modules', plugin));
const response = protocGenEs.run(request);
if (response.error) throw new Error(response.error);
rmSync(target, { recursive: true, force: true });
for (const file of response.file) {
  const path = join(target, file.name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, file.content);
}
writeFileSync(stampFile, stamp);
console.log(`message types: ${response.file.length} files written`);

/** Adds a proto file after what it imports. */
function take(name) {
  if (ordered.has(name)) return;
  const file = files.get(name);
  if (file === undefined) throw new Error(`the descriptor set lacks ${name}`);
  for (const dependency of file.dependency) take(dependency);
  ordered.set(name, file);
}
