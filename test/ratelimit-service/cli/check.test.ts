import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { peerTest } from '#test/support/peers.ts';
import { ratelimit } from './run-command.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-check-'));
after(() => rmSync(root, { recursive: true, force: true }));

/** Writes the files of one configuration and answers its directory. */
function directory(name: string, files: Readonly<Record<string, string | Uint8Array>>): string {
  const path = join(root, name);
  mkdirSync(path, { recursive: true });
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, file)), { recursive: true });
    writeFileSync(join(path, file), text);
  }
  return path;
}

const limit = 'rate_limit: { unit: day, requests_per_unit: 3 }';
const good = `domain: d\ndescriptors:\n- { key: a, ${limit} }\n`;
const more = `domain: d\ndescriptors:\n- { key: b, ${limit} }\n`;

const sets: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  good: { 'a.yaml': good },
  empty: {},
  'two domains': { 'a.yaml': good, 'b.yaml': good.replace('domain: d', 'domain: e') },
  'one domain twice': { 'a.yaml': good, 'b.yaml': more },
  'no domain': { 'a.yaml': `descriptors: []` },
  'bad unit': { 'a.yaml': good.replace('day', 'fortnight') },
  'equal keys': { 'a.yaml': `${good}- { key: a, ${limit} }\n` },
  'unlimited with a unit': { 'a.yaml': good.replace('requests_per_unit: 3', 'unlimited: true') },
  'empty key': { 'a.yaml': `${good}- { ${limit} }\n` },
};

test('a good configuration: the lines and exit code of the reference', async () => {
  const path = directory('good', sets['good']!);
  const { code, out, err } = await ratelimit('check', path);
  assert.equal(
    out,
    `checking rate limit configs...\nloading config directory: ${path}\nopening config file: ${join(path, 'a.yaml')}\nall rate limit configs ok\n`,
  );
  assert.deepEqual([code, err], [0, '']);
});

test('what the reference ends with a panic for is an error here, and other files are looked at too', async () => {
  const path = directory('several', {
    'a.yaml': 'domain: d\nwhat: 1\n',
    'b.yaml': 'domain: [\n',
    'c.yaml': good.replace('day', 'fortnight'),
    'd.yaml': new Uint8Array([0x61, 0xff]),
  });
  const { code, out } = await ratelimit('check', path);
  const errors = out.split('\n').filter((line) => line.startsWith('error loading rate limit configs: '));
  assert.equal(code, 1);
  assert.equal(
    errors[0],
    `error loading rate limit configs: ${join(path, 'a.yaml')}: config error, unknown key 'what'`,
  );
  assert.match(errors[1]!, /b\.yaml: error loading config file: yaml: line \d/);
  assert.match(errors[2]!, /d\.yaml: .*this is not UTF-8/);
  assert.match(errors[3]!, /c\.yaml: invalid rate limit unit 'fortnight'$/);
  assert.equal(errors.length, 4);
});

test('an error whose words are the reference’s is followed by its place and what would be right', async () => {
  const cases: readonly (readonly [text: string, hint: RegExp])[] = [
    [good.replace('day', 'fortnight'), /^hint: line 3: it is none of second, minute, .*, year\n$/],
    [`${good}- { key: a, ${limit} }\n`, /^hint: line 4: several limits of one descriptor are a list, rate_limits\n$/],
    [good.replace('requests_per_unit', 'request_per_unit'), /^hint: line 3: did you mean requests_per_unit\?\n$/],
    [good.replace('3 }', '3.5 }'), /^hint: line 3: 'requests_per_unit' takes no number with a fraction/],
    [`${good}- { ${limit} }\n`, /^hint: line 4\n$/],
    [good.replace('domain: d\n', ''), /^hint: it needs a line 'domain: NAME'/],
  ];
  for (const [index, [text, hint]] of cases.entries()) {
    const path = directory(`hint ${index}`, { 'a.yaml': text });
    const { code, err } = await ratelimit('check', path);
    assert.equal(code, 1);
    assert.match(err, hint);
    const { errors, hints } = JSON.parse((await ratelimit('check', path, '--json')).out);
    assert.equal(`hint: ${hints[errors[0]]}\n`, err);
  }
});

test('a link that leads nowhere is warned of, and not read', async () => {
  const path = directory('lock', sets['good']!);
  symlinkSync('somebody@host:1', join(path, '.#a.yaml'));
  const { code, err } = await ratelimit('check', path);
  assert.deepEqual(
    [code, err],
    [0, `warning: ${join(path, '.#a.yaml')}: it is a link that leads nowhere, and is not read\n`],
  );
});

test('a directory without a file is warned of: the service would limit nothing', async () => {
  const { code, err } = await ratelimit('check', directory('nothing', {}));
  assert.equal(code, 0);
  assert.match(err, /^warning: .*nothing: there is no file in it, so nothing is limited\n$/);
});

test('a directory that is not there, and the command line', async () => {
  const path = join(root, 'missing');
  const missing = await ratelimit('check', path);
  assert.equal(missing.code, 1);
  assert.match(missing.out, /error opening directory .*missing: open .*missing: no such file or directory\n$/);
  assert.equal((await ratelimit('check')).code, 2);
  assert.equal((await ratelimit('check', 'a', 'b')).code, 2);
  assert.match((await ratelimit('check', '-config_dirs', 'a')).err, /no flag '-config_dirs'/);
  assert.equal((await ratelimit('check', '-config_dir')).code, 2);
});

test("the reference's spelling of flags, and one file alone", async () => {
  const path = directory('merged', sets['one domain twice']!);
  assert.equal((await ratelimit('check', '-config_dir', path)).code, 1);
  assert.equal((await ratelimit('check', '-config_dir', path, '-merge_domain_configs')).code, 0);
  assert.equal((await ratelimit('check', `--config_dir=${path}`, '--merge_domain_configs=true')).code, 0);
  assert.equal((await ratelimit('check', `--config_dir=${path}`, '--merge_domain_configs=false')).code, 1);
  assert.equal((await ratelimit('check', path, '--merge-domains')).code, 0);
  assert.equal((await ratelimit('check', join(path, 'a.yaml'))).code, 0);
});

test('sub-directories are read as the service reads them, dot files only when they are not ignored', async () => {
  const path = directory('nested', { 'x/a.yaml': good, '.b.yaml': good });
  const { code, out } = await ratelimit('check', path);
  assert.equal(code, 1);
  assert.match(out, /opening config file: .*nested\/x\/a\.yaml\n/);
  assert.equal((await ratelimit('check', path, '--ignore-dot-files')).code, 0);
});

test('warnings go to standard error; --strict makes them errors; --json has all in one line', async () => {
  const path = directory('warnings', {
    'a.yaml': `domain: d
descriptors:
- key: a
  unit: minute
  ${limit}
- { key: a_b, ${limit} }
- { key: p, value: ab*, ${limit} }
- { key: p, value: abc*, rate_limit: { unit: day, replaces: [{ name: nope }] } }
`,
  });
  const { code, out, err } = await ratelimit('check', path);
  assert.equal(code, 0);
  assert.match(out, /all rate limit configs ok\n$/);
  assert.match(err, /line 4: 'unit' has no effect in a descriptor: it belongs into rate_limit\n/);
  assert.match(err, /'d\.a' and 'd\.a_b' can count on the same key/);
  assert.match(err, /'d\.p_abc\*' is never met: 'd\.p_ab\*' stands before it/);
  assert.match(err, /replaces 'nope', which is the name of no rule of 'd'/);
  assert.match(err, /lets nothing pass: requests_per_unit is 0/);
  const strict = await ratelimit('check', path, '--strict');
  assert.equal(strict.code, 1);
  assert.match(strict.out, /rate limit configs have warnings\n$/);
  const json = JSON.parse((await ratelimit('check', path, '--json', '--key-format', 'escaped')).out);
  assert.deepEqual([json.ok, json.domains, json.errors, json.warnings.length], [true, ['d'], [], 4]);
});

for (const [name, files] of Object.entries(sets)) {
  peerTest('reference-check', `beside the reference's checker: ${name}`, async (checker) => {
    const path = directory(`beside ${name}`, files);
    for (const flags of [[], ['-merge_domain_configs']]) {
      const theirs = await new Promise<{ code: number; out: string }>((resolve) => {
        execFile(checker, ['-config_dir', path, ...flags], (error, out) =>
          resolve({ code: error === null ? 0 : Number(error.code), out }),
        );
      });
      const ours = await ratelimit('check', '-config_dir', path, ...flags);
      assert.equal(ours.out, theirs.out);
      assert.equal(ours.code, theirs.code);
    }
  });
}

test('serve tells of its settings, and takes no arguments', async () => {
  const { code, out } = await ratelimit('serve', '--help');
  assert.equal(code, 0);
  for (const name of ['RUNTIME_ROOT', 'BACKEND_TYPE=memory', 'REDIS_URL']) assert.ok(out.includes(name), name);
  const mistake = await ratelimit('serve', '--port', '8080');
  assert.equal(mistake.code, 2);
  assert.match(mistake.err, /takes no arguments: its settings are environment variables/);
});
