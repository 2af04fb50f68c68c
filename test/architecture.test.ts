import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** What each part of `gateway/` may import besides itself; parts further down see more. */
const shared = ['runtime', 'base', 'protocol', 'proto', 'stats'];
const peers = ['route', 'transport', 'listener', 'network', 'upstream', 'xds', 'formatter'];
const allowed: Readonly<Record<string, readonly string[]>> = {
  runtime: ['base'],
  base: ['runtime'],
  protocol: ['runtime', 'base'],
  proto: ['runtime', 'base'],
  stats: ['runtime', 'base'],
  api: shared,
  config: [...shared, 'api'],
  formatter: [...shared, 'api', 'config'],
  network: [...shared, 'api', 'config'],
  transport: [...shared, 'api', 'config', ...peers],
  listener: [...shared, 'api', 'config', ...peers],
  route: [...shared, 'api', 'config', ...peers],
  upstream: [...shared, 'api', 'config', ...peers],
  xds: [...shared, 'api', 'config', ...peers],
  http: [...shared, 'api', 'config', ...peers],
  extensions: [...shared, 'api', 'config', ...peers, 'http'],
  server: [...shared, 'api', 'config', ...peers, 'http', 'extensions', 'admin'],
  admin: [...shared, 'api', 'config', ...peers, 'http', 'extensions', 'server'],
  cli: [...shared, 'api', 'config', ...peers, 'http', 'extensions', 'server', 'admin'],
};
/** Vocabulary that everything may use, though it lives in a higher part. */
const vocabulary = new Set(['gateway/config/diagnostics.ts']);

interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly string[];
}

function sources(folder: string): SourceFile[] {
  const files: SourceFile[] = [];
  const walk = (at: string): void => {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      const path = join(at, entry.name);
      if (entry.isDirectory()) {
        if (entry.name !== 'node_modules' && relative(root, path) !== join('gateway', 'proto', 'gen')) walk(path);
      } else if (entry.name.endsWith('.ts')) {
        const text = readFileSync(path, 'utf8');
        files.push({ path: relative(root, path), text, imports: importsOf(relative(root, path), text) });
      }
    }
  };
  if (existsSync(join(root, folder))) walk(join(root, folder));
  return files;
}

/** Project-relative targets of the static and dynamic imports of a file. */
function importsOf(path: string, text: string): string[] {
  const targets: string[] = [];
  for (const match of text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)) {
    const target = match[1]!;
    if (target.startsWith('.')) targets.push(join(dirname(path), target));
    else if (target.startsWith('#gateway/')) targets.push(`gateway/${target.slice(9)}`);
    else if (target.startsWith('#ratelimit/')) targets.push(`ratelimit-service/${target.slice(11)}`);
    else if (target.startsWith('#certs/')) targets.push(`certs/${target.slice(7)}`);
  }
  return targets;
}

const gateway = sources('gateway');
const services = [...sources('ratelimit-service'), ...sources('certs')];
const shipped = [...gateway, ...services];

describe('architecture', () => {
  it('imports inside gateway/ go one way', () => {
    const wrong: string[] = [];
    for (const { path, imports } of gateway) {
      const part = path.split('/')[1]!;
      if (part === 'main.ts') continue;
      for (const target of imports) {
        const [top, targetPart] = target.split('/');
        if (top !== 'gateway') wrong.push(`${path} imports ${target}`);
        else if (targetPart !== part && !vocabulary.has(target) && !(allowed[part] ?? []).includes(targetPart!))
          wrong.push(`${path} imports ${target}`);
      }
    }
    assert.deepEqual(wrong, []);
  });

  it('only gateway/main.ts knows the services, and loads them when they are wanted', () => {
    const others = gateway.filter(({ imports }) => imports.some((target) => !target.startsWith('gateway/')));
    assert.deepEqual(
      others.map(({ path }) => path),
      ['gateway/main.ts'],
    );
    assert.doesNotMatch(others[0]!.text, /^import .*'#(ratelimit|certs)\//m);
  });

  it('one extension never imports another', () => {
    const wrong: string[] = [];
    for (const { path, imports } of gateway) {
      const own = /^gateway\/extensions\/([^/]+\/[^/]+)\//.exec(path)?.[1];
      if (own === undefined) continue;
      for (const target of imports) {
        const other = /^gateway\/extensions\/([^/]+\/[^/]+)\//.exec(target)?.[1];
        if (other !== undefined && other !== own) wrong.push(`${path} imports ${target}`);
      }
    }
    assert.deepEqual(wrong, []);
  });

  it('the services import only the shared parts of the gateway', () => {
    const wrong: string[] = [];
    for (const { path, imports } of services) {
      const own = path.split('/')[0];
      for (const target of imports) {
        const [top, part] = target.split('/');
        if (top !== own && !(top === 'gateway' && shared.includes(part!))) wrong.push(`${path} imports ${target}`);
      }
    }
    assert.deepEqual(wrong, []);
  });

  it('clocks, random numbers, timers and the environment are injected', () => {
    const ambient =
      /\b(Date\.now\(|Math\.random\(|setTimeout\(|setInterval\(|setImmediate\(|process\.env|performance\.now\()/;
    const wrong: string[] = [];
    for (const { path, text } of shipped) {
      if (path.startsWith('gateway/runtime/') || path.endsWith('/main.ts')) continue;
      text.split('\n').forEach((line, i) => {
        if (ambient.test(line) && !/^\s*(\*|\/\/|\/\*)/.test(line)) wrong.push(`${path}:${i + 1}: ${line.trim()}`);
      });
    }
    assert.deepEqual(wrong, []);
  });

  it('only gateway/runtime/ asks which runtime this is', () => {
    const asks = /\b(Bun\.|Deno\.|process\.versions|globalThis as .*(Bun|Deno))/;
    const wrong = shipped
      .filter(({ path, text }) => !path.startsWith('gateway/runtime/') && asks.test(text))
      .map(({ path }) => path);
    assert.deepEqual(wrong, []);
  });

  it('no construct that some runtime cannot take', () => {
    const banned = /^\s*(await )?using\s|^\s*@[A-Za-z]+\(|\baccessor\s+[#a-zA-Z]|from '\.[^']*\.js'|^export default/m;
    const wrong = [...shipped, ...sources('test'), ...sources('deploy')]
      .filter(({ text }) => banned.test(text))
      .map(({ path }) => path);
    assert.deepEqual(wrong, []);
  });

  it('no file written by hand is over 500 lines', () => {
    const wrong = [...shipped, ...sources('test'), ...sources('deploy')]
      .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
      .filter(({ lines }) => lines > 500);
    assert.deepEqual(wrong, []);
  });
});
