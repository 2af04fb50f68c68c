import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { acmeConfigFlags, expandConfig } from '#certs/acme/acme-config.ts';
import { parseAcmeOptions } from '#certs/acme/acme-options.ts';

describe('the configuration file of sluice certs acme', () => {
  it('says the same as flags', () => {
    const text = `
directory: letsencrypt-staging
storage: /var/lib/acme
agree_tos: true
json: false
email: [a@x.test, b@x.test]
http_listen: 127.0.0.1:8402
dns_hook: /usr/local/bin/hook
dns_hook_arg: ["--zone", "x"]
key_type: p384
certificates:
  - { name: edge, dns: [a.test, b.test] }
  - { name: wild, dns: "*.c.test", challenge: dns-01, key_type: rsa2048 }
`;
    const options = parseAcmeOptions(acmeConfigFlags(text, 'x.yaml'));
    assert.deepEqual(options.contacts, ['a@x.test', 'b@x.test']);
    assert.deepEqual([options.termsAgreed, options.json, options.httpListen], [true, false, '127.0.0.1:8402']);
    assert.deepEqual(options.dnsHook, ['/usr/local/bin/hook', '--zone', 'x']);
    assert.deepEqual(
      options.certificates.map(({ name, dns, challenge, keyType }) => [name, dns, challenge, keyType]),
      [
        ['edge', ['a.test', 'b.test'], 'http-01', 'p384'],
        ['wild', ['*.c.test'], 'dns-01', 'rsa2048'],
      ],
    );
  });

  const wrong: readonly (readonly [string, RegExp])[] = [
    ['- a', /has to be a mapping of flags/],
    ['a: [', /x\.yaml is not YAML/],
    ['certificates: 1', /certificates has to be a list/],
    ['certificates: [{ dns: a.test }]', /mapping with a name/],
    ['directory: { a: 1 }', /directory has to be a text/],
    ['htp_listen: a', /no flag '--htp-listen'; did you mean --http-listen/],
    ['json: yes please', /--json takes no value/],
  ];
  for (const [text, message] of wrong) {
    it(`is told what is wrong with ${text}`, () => {
      assert.throws(() => parseAcmeOptions(acmeConfigFlags(text, 'x.yaml')), message);
    });
  }

  it('takes the place of --config; a file that is not there is named', () => {
    assert.deepEqual(expandConfig(['--force', '--name', 'a']), ['--force', '--name', 'a']);
    assert.throws(
      () => expandConfig(['--config', '/nonexistent.yaml']),
      /cannot read the configuration: .*nonexistent/,
    );
    assert.throws(() => expandConfig(['--config']), /--config needs a value/);
  });
});
