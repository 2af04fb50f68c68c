import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const files = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...readdirSync(join(root, 'docs')).map((file) => `docs/${file}`),
];

/** A page without what stands in fences, where a line may begin with # and mean something else. */
function prose(file: string): string {
  return readFileSync(join(root, file), 'utf8').replaceAll(/^```.*?^```/gms, '');
}

function anchorsOf(file: string): ReadonlySet<string> {
  const titles = [...prose(file).matchAll(/^#+ (.*)$/gm)].map(([, title]) => title!.toLowerCase());
  return new Set(titles.map((title) => title.replaceAll(/[^a-z0-9 _-]/g, '').replaceAll(' ', '-')));
}

test('links of all pages lead somewhere', () => {
  let links = 0;
  for (const file of files) {
    for (const [, target] of prose(file).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target!)) continue;
      links++;
      const [path, anchor] = target!.split('#') as [string, string?];
      const to = path === '' ? file : join(dirname(file), path);
      assert.ok(existsSync(join(root, to)), `${file}: ${target}`);
      if (anchor !== undefined) assert.ok(anchorsOf(to).has(anchor), `${file}: ${target}`);
    }
  }
  assert.ok(links > 40, `${links}`);
});

test('files of the project that pages name are there', () => {
  for (const file of files) {
    if (file === 'CHANGELOG.md') continue;
    for (const [, path] of prose(file).matchAll(/`((?:deploy|test|gateway|certs|ratelimit-service|bin)\/[\w./-]+)`/g)) {
      assert.ok(path!.includes('NAME') || existsSync(join(root, path!)), `${file}: ${path}`);
    }
  }
});
