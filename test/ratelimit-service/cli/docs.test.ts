import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadLimitConfig } from '#ratelimit/config/config-loader.ts';
import { findDomain, findRule } from '#ratelimit/limiter/find-rule.ts';
import { StatsStore } from '#ratelimit/limiter/stats-store.ts';
import { envoyDescriptors } from '#ratelimit/simulate/envoy-rate-limits.ts';
import { ratelimit } from './run-command.ts';

const docs = readFileSync(new URL('../../../docs/ratelimit.md', import.meta.url), 'utf8');

/** The commands of the documentation's shell blocks that begin with these words, as lists of arguments. */
function documented(...names: readonly string[]): string[][] {
  const blocks = [...docs.matchAll(/```sh\n(.*?)```/gs)].map(([, block]) => block!.replaceAll('\\\n', ' '));
  return blocks
    .flatMap((block) => block.split('\n'))
    .filter((line) => names.some((name) => line.startsWith(`sluice ratelimit ${name} `)))
    .map((line) => [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!).slice(2));
}

const limits = `domain: edge
descriptors:
- key: remote_address
  rate_limit: { unit: second, requests_per_unit: 5 }
- key: path
  value: /api/*
  share_threshold: true
  rate_limit: { unit: minute, requests_per_unit: 100 }
- key: tenant
  rate_limit: { unit: minute, requests_per_unit: 10 }
`;

const envoy = `virtual_hosts:
- name: api
  rate_limits: [{ actions: [{ request_headers: { header_name: ":path", descriptor_key: path } }] }]
`;

/** Ten requests a second for five minutes, of one client, every second one to the API. */
function accessLog(): string {
  const lines: string[] = [];
  for (let i = 0; i < 3000; i++) {
    const time = new Date(Date.UTC(2026, 10, 21, 12) + i * 100).toISOString();
    const path = i % 2 === 0 ? `/api/${i}` : '/';
    lines.push(`[${time}] "GET ${path} HTTP/1.1" 200 - 0 1 5 4 "10.0.0.1" "ua" "id" "example.com" "10.9.0.1:80"`);
  }
  return lines.join('\n');
}

test('the commands of docs/ratelimit.md run, and print what is said there', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'sluice-docs-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const directory of ['limits', 'new-limits']) {
    mkdirSync(join(root, directory));
    writeFileSync(join(root, directory, 'edge.yaml'), limits);
  }
  writeFileSync(join(root, 'envoy.yaml'), envoy);
  writeFileSync(join(root, 'access.log'), accessLog());
  const nginx = '10.0.0.1 [10/Oct/2026:13:55:36 +0200] acme "GET / HTTP/1.1" 200 0.250\n';
  writeFileSync(join(root, 'nginx.log'), nginx.repeat(12));
  const commands = documented('check', 'simulate');
  assert.ok(commands.length >= 6, `${commands.length}`);
  const outputs: string[] = [];
  for (const args of commands) {
    const local = args.map((argument) =>
      /^(limits\/|new-limits\/|.*\.log|envoy\.yaml)$/.test(argument) ? join(root, argument) : argument,
    );
    const { code, out, err } = await ratelimit(...local);
    assert.deepEqual([code, err], [0, ''], args.join(' '));
    outputs.push(out.replaceAll(`${root}/`, ''));
  }
  // The lines of the example, as they are printed.
  const example = /\n {4}access\.log \(envoy\).*?\n\n(?=\S)/s.exec(docs)![0].trim().split('\n');
  const first = outputs.find((out) => out.startsWith('access.log'))!.split('\n');
  for (const line of example) assert.ok(first.includes(line.replace(/^ {4}/, '')), line);
});

const yamlBlocks = [...docs.matchAll(/```yaml\n(.*?)```/gs)].map(([, block]) => block!);

test('the configurations of docs/ratelimit.md are taken, and its rate_limits are understood', () => {
  const limitsBlocks = yamlBlocks.filter((block) => block.startsWith('domain:'));
  assert.ok(limitsBlocks.length >= 6, `${limitsBlocks.length}`);
  for (const text of limitsBlocks) loadLimitConfig([{ name: text, text }], false, new StatsStore());
  const actions = yamlBlocks.filter((block) => /^rate_limits:/m.test(block));
  assert.ok(actions.length >= 2);
  for (const text of actions) assert.ok(envoyDescriptors(text, text, null, 0).length > 0);
});

test('the table of what a descriptor meets is true', () => {
  const section = /## How a limit is found\n.*?(?=\n## )/s.exec(docs)![0];
  const stats = new StatsStore();
  const [, text] = /```yaml\n(.*?)```/s.exec(section)!;
  const domain = findDomain(loadLimitConfig([{ name: 'docs', text: text! }], false, stats), 'edge')!;
  const rows = [...section.matchAll(/^\| (`.*?=.*?) +\| (?:`([^`]*)`|nothing)/gm)];
  assert.ok(rows.length >= 5);
  for (const [row, descriptor, expected] of rows) {
    const entries = [...descriptor!.matchAll(/`([^=`]*)=([^`]*)`/g)].map(([, key, value]) => ({
      key: key!,
      value: value!,
    }));
    const found = findRule(domain, 'edge', entries, stats);
    assert.equal(found?.rules[0]?.fullKey, expected, row);
  }
});

test('links inside of the page lead somewhere', () => {
  const anchors = new Set(
    [...docs.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
      title!
        .toLowerCase()
        .replaceAll(/[^a-z0-9 _-]/g, '')
        .replaceAll(' ', '-'),
    ),
  );
  const links = [...docs.matchAll(/\]\(#([^)]*)\)/g)].map(([, anchor]) => anchor!);
  assert.deepEqual(
    links.filter((anchor) => !anchors.has(anchor)),
    [],
  );
});
