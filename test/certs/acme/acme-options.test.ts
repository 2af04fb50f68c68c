import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { acmeFlags } from '#certs/acme/acme-flags.ts';
import { type AcmeCommandName, checkAcmeOptions, parseAcmeOptions } from '#certs/acme/acme-options.ts';
import { runAcme } from '#test/support/acme-run.ts';

const base = ['--directory', 'letsencrypt-staging', '--storage', '/var/lib/acme'];

function problems(command: AcmeCommandName, ...args: string[]): string {
  return checkAcmeOptions(command, parseAcmeOptions([...base, ...args])).join('; ');
}

describe('sluice certs acme', () => {
  it('reads certificates; flags before the first --name are for all of them', () => {
    const { certificates, directoryUrl } = parseAcmeOptions([
      ...base,
      '--key-type=rsa2048',
      '--name',
      'a',
      '--dns',
      'A.test',
      '--dns',
      'b.test',
      '--name=b',
      '--dns=*.b.test',
      '--challenge=dns-01',
      '--key-type',
      'p384',
    ]);
    assert.equal(directoryUrl, 'https://acme-staging-v02.api.letsencrypt.org/directory');
    const common = { preferredChain: null, profile: null };
    assert.deepEqual(certificates, [
      { ...common, name: 'a', dns: ['a.test', 'b.test'], challenge: 'http-01', keyType: 'rsa2048' },
      { ...common, name: 'b', dns: ['*.b.test'], challenge: 'dns-01', keyType: 'p384' },
    ]);
  });

  const wrong: readonly (readonly [AcmeCommandName, string, RegExp])[] = [
    ['issue', '--name a --dns *.a.test', /wildcards need --challenge dns-01, http-01 cannot prove them/],
    ['issue', '--name a --dns *.a.test --challenge dns-01', /--challenge dns-01 needs --dns-hook/],
    ['issue', '--name a --dns localhost', /'localhost' is not a DNS name that can be ordered/],
    ['issue', '--name a --dns 192.0.2.1.', /is not a DNS name/],
    ['issue', '--name a --dns a.test --dns a.test', /names something twice/],
    ['issue', '--name a --dns 192.0.2.1', /'192\.0\.2\.1' is an address/],
    ['issue', '--name a', /'a' has no DNS name/],
    ['issue', '--name ../a --dns a.test', /must be letters, digits/],
    ['issue', '--name a --dns a.test --name a --dns b.test', /same --name/],
    ['issue', '', /--name is missing/],
    ['serve', '--name a --dns a.test --listen 127.0.0.1:1', /needs --http-listen HOST:PORT/],
    ['serve', '--name a --dns a.test --challenge tls-alpn-01 --listen unix:/x', /needs --tls-listen HOST:PORT/],
    ['serve', '--name a --dns a.test --http-listen 127.0.0.1:1', /without --listen ADDRESS/],
    ['serve', '--name a --dns a.test --http-listen :1 --listen 0.0.0.0:1', /HOST:PORT/],
    ['serve', '--name a --dns a.test --http-listen 0.0.0.0:1 --listen 0.0.0.0:1', /must be a loopback address/],
    ['register', '--eab-kid x', /belong together/],
    ['register', '--passphrase-file x --key-file y', /exclude each other/],
    ['register', '--agree-tso', /did you mean --agree-tos/],
    ['issue', '--challenge http', /--challenge http: (did you mean|it must be one of)/],
    ['issue', '--dns a.test', /--dns must come after --name/],
    ['issue', '--dns-hook-arg x', /--dns-hook-arg needs --dns-hook/],
    ['issue', '--dns-timeout soon', /'soon' is not a time/],
  ];
  for (const [command, args, message] of wrong) {
    it(`${command} ${args}: ${message.source}`, () => {
      const words = args === '' ? [] : args.split(' ');
      let said: string;
      try {
        said = problems(command, ...words);
      } catch (error) {
        said = (error as Error).message;
      }
      assert.match(said, message);
    });
  }

  it('has a help that names every flag, and exit codes', async () => {
    const help = await runAcme('help');
    assert.equal(help.code, 0);
    for (const { name } of acmeFlags) assert.ok(help.text.includes(`--${name}`), name);
    assert.equal((await runAcme()).code, 2);
    assert.match((await runAcme('isue')).log, /no command 'isue'/);
    const json = await runAcme('issue', '--json');
    assert.equal(json.code, 2);
    assert.match(JSON.parse(json.text).error.message, /--storage is missing/);
  });

  it('status of nothing is nothing', async () => {
    const status = await runAcme('status', '--storage', 'redis://127.0.0.1:1', '--json');
    assert.equal(status.code, 1);
    assert.equal(JSON.parse(status.text).error.kind, 'storage');
  });
});
