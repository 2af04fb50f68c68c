import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCommandLine, parseLifetime } from '#certs/command-line.ts';

test('serve: options of a certificate follow its name', () => {
  const line =
    'serve --dir d --listen 127.0.0.1:1 --name a --dns x --dns y --lifetime 2h --name b --ip ::1 --control [::1]:2';
  assert.deepEqual(parseCommandLine(line.split(' ')), {
    command: 'serve',
    directory: 'd',
    listen: '127.0.0.1:1',
    control: '[::1]:2',
    authorityName: 'ca',
    authorityLifetimeMs: 3650 * 86_400_000,
    certificates: [
      { name: 'a', dns: ['x', 'y'], ip: [], lifetimeMs: 7_200_000 },
      { name: 'b', dns: [], ip: ['::1'], lifetimeMs: 86_400_000 },
    ],
  });
});

test('rotate', () => {
  assert.deepEqual(parseCommandLine(['rotate', '--control', 'localhost:1']), {
    command: 'rotate',
    control: 'localhost:1',
    name: null,
  });
});

test('a wrong command line says what is wrong', () => {
  const cases: readonly [string, RegExp][] = [
    ['dance', /no command 'dance'/],
    ['serve --listen 127.0.0.1:1', /--dir is missing/],
    ['serve --dir d', /--listen is missing/],
    ['serve --dir d --listen 0.0.0.0:1', /must be a loopback address/],
    ['serve --dir d --listen 127.0.0.1:99999', /must be a loopback address/],
    ['serve --dir', /--dir needs a value/],
    ['serve --dns a --dir d', /--dns must come after --name/],
    ['serve --colour red', /no option '--colour'/],
    ['rotate', /--control is missing/],
  ];
  for (const [line, message] of cases) assert.throws(() => parseCommandLine(line.split(' ')), message, line);
  assert.throws(() => parseLifetime('2 weeks'), /not a time/);
});
