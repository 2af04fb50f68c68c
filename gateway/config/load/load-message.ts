import { existsSync } from 'node:fs';
import { create, type DescMessage, type Message } from '@bufbuild/protobuf';
import { messageSchema, protoRegistry } from '#gateway/proto/registry.ts';
import type { Bootstrap } from '#proto-types/envoy/config/bootstrap/v3/bootstrap_pb.ts';
import { Diagnostics } from '../diagnostics.ts';
import { ALL_CHECKS, checkMessage, type MessageChecks } from './check-message.ts';
import { MessageReader } from './message-reader.ts';
import { parseJson } from './parse-json.ts';
import { parseYaml } from './parse-yaml.ts';
import { PositionMap } from './position-map.ts';
import { checkSemantics } from './semantic.ts';
import { type SourceNode, SourceSyntaxError } from './source-node.ts';
import { V2Upgrade } from './v2/v2-upgrade.ts';

/** How a configuration text is read and what is checked. */
export interface LoadOptions {
  /** The text's language; by default JSON for names that end in `.json`, else YAML, which JSON also is. */
  readonly format?: 'yaml' | 'json';
  /** Envoy's validation rules and the refusal of what is not implemented; both by default. */
  readonly checks?: MessageChecks;
  /** Whether a file that the configuration names is there; asks the file system by default. */
  readonly fileExists?: (path: string) => boolean;
}

/** A configuration as read, and everything found about it. */
export interface Loaded<Shape extends Message> {
  /** The message; what could not be read is missing from it, so look at `diagnostics.failed` first. */
  readonly message: Shape;
  /** What was found, with places; later checks add to it by path. */
  readonly diagnostics: Diagnostics;
}

/** Reads a bootstrap and makes every check that needs nothing but the text and the files it names. */
export function loadBootstrap(text: string, fileName: string, options: LoadOptions = {}): Loaded<Bootstrap> {
  const loaded = loadMessage<Bootstrap>('envoy.config.bootstrap.v3.Bootstrap', text, fileName, options);
  checkSemantics(loaded.message, loaded.diagnostics, options.fileExists ?? existsSync);
  return loaded;
}

/** Reads a message of any type from YAML or JSON and reports all its problems; never throws for a bad text. */
export function loadMessage<Shape extends Message>(
  typeName: Shape['$typeName'],
  text: string,
  fileName: string,
  options: LoadOptions = {},
): Loaded<Shape> {
  const type = messageSchema(typeName) as unknown as DescMessage;
  const positions = new PositionMap(fileName, text);
  const diagnostics = new Diagnostics(positions);
  const root = parse(text, options.format ?? (fileName.endsWith('.json') ? 'json' : 'yaml'), positions, diagnostics);
  if (root === null) return { message: create(type) as Shape, diagnostics };
  positions.set('', root.at);
  const reader = new MessageReader(
    protoRegistry(),
    diagnostics,
    positions,
    new V2Upgrade(protoRegistry(), diagnostics, positions),
  );
  const message = reader.read(type, root, '') as Shape;
  const checked = new Diagnostics(positions);
  checkMessage(type, message, '', checked, options.checks ?? ALL_CHECKS);
  for (const problem of checked.all) {
    // A field that was misspelt or unreadable is missing for a reason already given.
    if (reader.suspects.has(problem.path)) continue;
    if (problem.problem.startsWith('one of ') && reader.suspectOneofs.has(problem.path)) continue;
    diagnostics.error(problem.path, problem.problem, problem.suggestion);
  }
  return { message, diagnostics };
}

function parse(text: string, format: 'yaml' | 'json', positions: PositionMap, found: Diagnostics): SourceNode | null {
  try {
    return format === 'json' ? parseJson(text) : parseYaml(text);
  } catch (error) {
    if (!(error instanceof SourceSyntaxError)) throw error;
    positions.set('', error.at);
    found.error('', `cannot be read as ${format.toUpperCase()}: ${error.message}`);
    return null;
  }
}
