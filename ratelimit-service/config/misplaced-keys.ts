import { isMap, isScalar, isSeq, LineCounter, type Node, parseAllDocuments } from 'yaml';

/** What a part of the file is called, the keys that mean something there, and the parts below. */
interface Part {
  readonly name: string;
  readonly keys: readonly string[];
  readonly below: Readonly<Record<string, () => Part>>;
}

const replaces: Part = { name: 'replaces', keys: ['name'], below: {} };
const rateLimit: Part = {
  name: 'rate_limit',
  keys: ['unit', 'unit_multiplier', 'algorithm', 'burst', 'requests_per_unit', 'unlimited', 'name', 'replaces'],
  below: { replaces: () => replaces },
};
const descriptor: Part = {
  name: 'a descriptor',
  keys: [
    'key',
    'value',
    'descriptors',
    'rate_limit',
    'rate_limits',
    'shadow_mode',
    'quota_mode',
    'detailed_metric',
    'value_to_metric',
    'share_threshold',
    'metadata',
  ],
  below: { descriptors: () => descriptor, rate_limit: () => rateLimit, rate_limits: () => rateLimit },
};
const file: Part = {
  name: 'the file',
  keys: ['domain', 'failure_mode', 'descriptors'],
  below: { descriptors: () => descriptor },
};
const parts: readonly Part[] = [file, descriptor, rateLimit, replaces];

/**
 * Keys that stand where they mean nothing, such as `unit` beside `rate_limit` instead of in it: they are allowed, because the
 * reference service allows them, and have no effect. Each as a sentence. The file is known to be well-formed.
 */
export function misplacedKeys(path: string, text: string): string[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { version: '1.1', merge: true, uniqueKeys: false, lineCounter: lines });
  const found: string[] = [];
  const walk = (node: Node | null, part: Part): void => {
    if (isSeq(node)) for (const item of node.items) walk(item as Node | null, part);
    if (!isMap(node)) return;
    for (const { key, value } of node.items) {
      if (!isScalar(key) || typeof key.value !== 'string') continue;
      const name = key.value;
      const below = Object.hasOwn(part.below, name) ? part.below[name] : undefined;
      if (below !== undefined) walk(value as Node | null, below());
      if (part.keys.includes(name)) continue;
      const homes = parts.filter(({ keys }) => keys.includes(name)).map((home) => home.name);
      if (homes.length === 0) continue;
      const { line } = lines.linePos(key.range?.[0] ?? 0);
      found.push(
        `${path}: line ${line}: '${name}' has no effect in ${part.name}: it belongs into ${homes.join(' or ')}`,
      );
    }
  };
  const document = Array.isArray(documents) ? documents[0] : undefined;
  walk((document?.contents ?? null) as Node | null, file);
  return found;
}
