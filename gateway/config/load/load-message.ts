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
  const reading = readText<Bootstrap>('envoy.config.bootstrap.v3.Bootstrap', text, fileName, options);
  const { message, diagnostics } = reading;
  if (reading.isMapping) {
    addWhatIsNew(reading, (found) => {
      const unread = (path: string): boolean => reading.reader.suspects.has(path);
      checkSemantics(message, found, { fileExists: options.fileExists ?? existsSync, unread });
    });
  }
  return { message, diagnostics };
}

/** Reads a message of any type from YAML or JSON and reports all its problems; never throws for a bad text. */
export function loadMessage<Shape extends Message>(
  typeName: Shape['$typeName'],
  text: string,
  fileName: string,
  options: LoadOptions = {},
): Loaded<Shape> {
  const { message, diagnostics } = readText<Shape>(typeName, text, fileName, options);
  return { message, diagnostics };
}

interface Reading<Shape extends Message> extends Loaded<Shape> {
  readonly reader: MessageReader;
  readonly positions: PositionMap;
  /** Whether the text held a message at all. */
  readonly isMapping: boolean;
}

function readText<Shape extends Message>(
  typeName: Shape['$typeName'],
  text: string,
  fileName: string,
  options: LoadOptions,
): Reading<Shape> {
  const type = messageSchema(typeName) as unknown as DescMessage;
  const positions = new PositionMap(fileName, text);
  const diagnostics = new Diagnostics(positions);
  const upgrade = new V2Upgrade(protoRegistry(), diagnostics, positions);
  const reader = new MessageReader(protoRegistry(), diagnostics, positions, upgrade);
  const root = parse(text, options.format ?? (fileName.endsWith('.json') ? 'json' : 'yaml'), positions, diagnostics);
  const message = (root === null ? create(type) : readRoot(reader, type, root, positions)) as Shape;
  const reading = { message, diagnostics, reader, positions, isMapping: root?.kind === 'map' };
  if (!reading.isMapping) return reading;
  addWhatIsNew(reading, (found) => checkMessage(type, message, '', found, options.checks ?? ALL_CHECKS));
  return reading;
}

function readRoot(reader: MessageReader, type: DescMessage, root: SourceNode, positions: PositionMap): Message {
  positions.set('', root.at);
  return reader.read(type, root, '');
}

/** Adds what a check finds, but for values that are missing because they were misspelt or could not be read. */
function addWhatIsNew(reading: Reading<Message>, check: (found: Diagnostics) => void): void {
  const { reader, diagnostics } = reading;
  const found = new Diagnostics(reading.positions);
  check(found);
  for (const { path, problem, suggestion, severity } of found.all) {
    if (reader.suspects.has(path)) continue;
    if (problem.startsWith('one of ') && reader.suspectOneofs.has(path)) continue;
    if (severity === 'error') diagnostics.error(path, problem, suggestion);
    else diagnostics.warning(path, problem, suggestion);
  }
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
