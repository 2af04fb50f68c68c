import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readServeOptions, type ServeOptions, serveFlags } from '#certs/cli/serve-options.ts';
import { parseFlags } from '#gateway/base/command-line/flags.ts';

function read(line: string): ServeOptions {
  return readServeOptions(parseFlags(line.split(' '), serveFlags));
}

test('options of a certificate follow its name', () => {
  const options = read(
    '--dir d --listen 127.0.0.1:1 --name a --dns x --dns y --lifetime 2h --template server --name b --ip ::1 --key P-384 --control [::1]:2',
  );
  assert.deepEqual(options.certificates, [
    { name: 'a', dns: ['x', 'y'], ip: [], uri: [], email: [], lifetimeMs: 7_200_000, template: 'server', key: 'P-256' },
    { name: 'b', dns: [], ip: ['::1'], uri: [], email: [], lifetimeMs: 86_400_000, template: 'peer', key: 'P-384' },
  ]);
  assert.deepEqual(
    [options.listen, options.control, options.api, options.http, options.authorityName, options.authorityLifetimeMs],
    ['127.0.0.1:1', '[::1]:2', null, null, 'ca', 3650 * 86_400_000],
  );
});

test('the API is on the loopback interface unless a host is named', () => {
  assert.deepEqual(read('--dir d --api 8443').api, { host: '127.0.0.1', port: 8443 });
  assert.deepEqual(read('--dir d --api 0.0.0.0:8443').api, { host: '0.0.0.0', port: 8443 });
  assert.deepEqual(read('--dir d --http [::]:80').http, { host: '::', port: 80 });
  assert.equal(read('--dir d --sds-config f').sdsConfig, 'f');
  const named = read('--dir d --api 1 --api-name certs.test --api-name 10.0.0.1 --api-name ::1');
  assert.deepEqual([named.apiDns, named.apiIp], [['certs.test'], ['10.0.0.1', '::1']]);
});

test('wrong options say what is wrong', () => {
  const cases: readonly [string, RegExp][] = [
    ['--dir d', /nothing to serve/],
    ['--dir d --listen 0.0.0.0:1', /must be a loopback address/],
    ['--dir d --listen 127.0.0.1:99999', /must be a loopback address/],
    ['--dir d --control 192.0.2.1:1', /must be a loopback address/],
    ['--dir d --listen 127.0.0.1:1 --watch a=x', /--watch a=x is not NAME=CERTIFICATE_FILE,KEY_FILE/],
    ['--dir d --api host', /is not \[HOST:\]PORT/],
    ['--dir d --api 1 --rate 0', /--rate 0/],
    ['--dir', /--dir needs a value/],
    ['--dns a --dir d --api 1', /--dns must come after --name/],
    ['--lifetime 1h --dir d --api 1', /--lifetime must come after --name/],
    ['--name a --lifetime soon --api 1', /'soon' is not a time/],
    ['--name a --template sevrer --api 1', /did you mean server/],
    ['--name a --key P-521 --api 1', /--key P-521/],
    ['--colour red', /no flag '--colour'/],
    ['here --api 1', /what is 'here'/],
  ];
  for (const [line, message] of cases) assert.throws(() => read(line), message, line);
});
