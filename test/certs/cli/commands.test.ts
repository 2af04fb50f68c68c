import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { X509Certificate } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { noNames } from '#certs/ca/certificate-names.ts';
import { generatePrivateKey } from '#certs/ca/key-algorithm.ts';
import { createSigningRequest } from '#certs/ca/x509-toolkit.ts';
import { hour } from '../authority-world.ts';
import { CommandRunner } from './command-runner.ts';

test('init, issue, list, renew, revoke: the members of their JSON stay', async (t) => {
  const run = new CommandRunner();
  t.after(() => run.remove());
  const init = await run.run('init --dir @dir --name Example --json');
  assert.equal(init.code, 0, init.out + init.err);
  assert.deepEqual(Object.keys(init.json), [
    'directory',
    'root',
    'root_key',
    'root_sha256',
    'intermediate',
    'encrypted',
  ]);
  const issue = await run.run('issue edge --dir @dir --dns a.test --ip 10.0.0.1 --lifetime 3h --json');
  assert.equal(issue.code, 0, issue.out + issue.err);
  const { serial, ...issued } = issue.json;
  assert.match(serial, /^[0-9A-F]{32}$/);
  assert.deepEqual(issued, {
    name: 'edge',
    template: 'server',
    names: ['DNS:a.test', 'IP:10.0.0.1'],
    not_before: '2029-12-31T23:59:00.000Z',
    not_after: '2030-01-01T03:00:00.000Z',
    certificate_file: join(run.directory, 'edge.crt'),
    key_file: join(run.directory, 'edge.key'),
  });
  const early = await run.run('renew edge --dir @dir --json');
  assert.deepEqual(early.json, {
    renewed: false,
    serial,
    not_after: issued.not_after,
    renew_at: '2030-01-01T01:59:40.000Z',
  });
  run.now += 2 * hour;
  const renewed = await run.run('renew edge --dir @dir --json');
  assert.deepEqual([renewed.json.renewed, renewed.json.not_after], [true, '2030-01-01T05:00:00.000Z']);
  const revoke = await run.run('revoke edge --dir @dir --reason keyCompromise --json');
  const { crl_number: number, ...revoked } = revoke.json;
  assert.ok(number > 0);
  assert.deepEqual(revoked, { serial: renewed.json.serial, revoked: true, already: false, reason: 'keyCompromise' });
  assert.equal((await run.run(`revoke ${renewed.json.serial.toLowerCase()} --dir @dir --json`)).json.already, true);
  assert.match((await run.run('renew edge --dir @dir')).err, /'edge' was revoked/);
  run.now += 2 * hour;
  const list = await run.run('list --dir @dir --json');
  assert.deepEqual(
    list.json.map((row: { serial: string; state: string }) => [row.serial, row.state]),
    [
      [serial, 'expired'],
      [renewed.json.serial, 'revoked'],
    ],
  );
  assert.deepEqual(Object.keys(list.json[0]), [
    ...[
      'serial',
      'state',
      'template',
      'names',
      'entry',
      'not_before',
      'not_after',
      'by',
      'sha256',
      'revoked_at',
      'reason',
    ],
  ]);
  assert.equal((await run.run('list --dir @dir --state valid')).out, 'nothing\n');
  assert.equal((await run.run('list --dir @dir --name b.test --json')).out, '[]\n');
  const crl = await run.run('crl --dir @dir --out @/crl.pem --json');
  assert.deepEqual(Object.keys(crl.json), ['number', 'entries', 'this_update', 'next_update', 'file']);
  assert.equal(readFileSync(run.path('crl.pem'), 'utf8').match(/BEGIN X509 CRL/g)!.length, 2);
});

test('keys are encrypted, by passphrase or key file, and the root can be taken away', async (t) => {
  const run = new CommandRunner();
  t.after(() => run.remove());
  run.write('pass', 'correct horse\n');
  run.write('env', '# secrets\nSLUICE_CERTS_PASSPHRASE="correct horse"\n');
  run.write('wrong', 'incorrect horse\n');
  run.write('root', 'x'.repeat(32));
  const init = await run.run('init --dir @dir --passphrase-file @/pass --root-key-file @/root');
  assert.equal(init.code, 0, init.err);
  for (const name of ['ca.key', 'intermediate.key']) {
    assert.match(readFileSync(join(run.directory, name), 'utf8'), /^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
    assert.equal(statSync(join(run.directory, name)).mode & 0o777, 0o600);
  }
  const issue = 'issue edge --dir @dir --dns a.test';
  assert.match((await run.run(issue)).err, /intermediate\.key is encrypted/);
  assert.match((await run.run(`${issue} --passphrase-file @/wrong`)).err, /passphrase or key file is not the one/);
  renameSync(join(run.directory, 'ca.key'), run.path('ca.key'));
  assert.equal((await run.run(`${issue} --passphrase-file @/env`)).code, 0);
  run.variables.set('SLUICE_CERTS_PASSPHRASE_FILE', run.path('pass'));
  run.variables.set('SLUICE_CERTS_DIR', run.directory);
  assert.equal((await run.run('issue edge --dns a.test')).code, 0);
  assert.match(
    (await run.run('init --renew-intermediate --root-key-file @/root')).err,
    /bring the root's key back first/,
  );
  renameSync(run.path('ca.key'), join(run.directory, 'ca.key'));
  const before = readFileSync(join(run.directory, 'intermediate.crt'), 'utf8');
  const renew = await run.run('init --renew-intermediate --root-key-file @/root --json');
  assert.equal(renew.code, 0, renew.err);
  const after = readFileSync(join(run.directory, 'intermediate.crt'), 'utf8');
  assert.notEqual(after, before);
  const leaf = new X509Certificate(readFileSync(join(run.directory, 'edge.crt'), 'utf8'));
  assert.ok(leaf.verify(new X509Certificate(after).publicKey), 'what was issued before stays valid');
  assert.match((await run.run('init --replace-intermediate --root-key-file @/root')).out, /^replaced /);
  const other = new X509Certificate(readFileSync(join(run.directory, 'intermediate.crt'), 'utf8'));
  assert.ok(!leaf.verify(other.publicKey), 'what was issued before is void');
  const list = readFileSync(join(run.directory, 'crl', 'root.crl'));
  assert.ok(list.includes(Buffer.from(renew.json.serial, 'hex')), 'the root says so');
  assert.ok(!(await run.run('log')).out.includes('horse'));
});

test('secrets that others can read, or that are no secrets, are refused', async (t) => {
  const run = new CommandRunner();
  t.after(() => run.remove());
  run.write('open', 'correct horse');
  chmodSync(run.path('open'), 0o640);
  run.write('short', 'horse');
  run.write('key', 'x'.repeat(31));
  run.write('good', 'x'.repeat(32));
  run.write('large', 'x'.repeat(1024 * 1024 + 1));
  mkdirSync(run.path('folder'), { mode: 0o700 });
  const cases: readonly [string, RegExp, number][] = [
    ['--passphrase-file @/open', /open has mode 0640, so others .* chmod 0600/, 1],
    ['--passphrase-file @/short', /at least eight characters/, 1],
    ['--passphrase-file @/none', /none does not exist/, 1],
    ['--passphrase-file @/folder', /folder is a directory/, 1],
    ['--passphrase-file @/large', /too many for a key/, 1],
    ['--key-file @/key', /31 octets: a key file has at least 32/, 1],
    ['--key-file @/good --passphrase-file @/short', /exclude one another/, 2],
  ];
  for (const [flags, message, code] of cases) {
    const result = await run.run(`init --dir @dir ${flags}`);
    assert.equal(result.code, code, flags);
    assert.match(result.err, message);
  }
  assert.equal((await run.run('init --dir @dir')).code, 0);
  assert.match((await run.run('init --dir @dir')).err, /there is a certificate authority in .* already/);
  chmodSync(join(run.directory, 'intermediate.key'), 0o644);
  assert.match((await run.run('issue a --dir @dir --dns a.test')).err, /intermediate\.key has mode 0644/);
  chmodSync(run.directory, 0o755);
  assert.match((await run.run('issue a --dir @dir --dns a.test')).err, /state has mode 0755.* chmod 0700/);
});

test('wrong command lines say what is wrong and what was probably meant', async (t) => {
  const run = new CommandRunner();
  t.after(() => run.remove());
  assert.equal((await run.run('init --dir @dir')).code, 0);
  const cases: readonly [string, RegExp][] = [
    ['isue', /no command 'isue'; did you mean issue\?/],
    ['dance', /no command 'dance'; there are init, issue/],
    ['check a.pem', /sluice certs check FILE/],
    ['init', /--dir is missing/],
    ['init --dir @/x --key P-257', /--key P-257: did you mean P-256\?/],
    ['init --dir @/x --permit-dns *.a', /'\*\.a' is not a domain/],
    ['init --dir @/x --permit-ip 10.0.0.0', /is not a network/],
    ['init --dir @/x --permit-ip 10.0.0.0/33', /is not a network/],
    ['init --dir @/x --crl-url ftp://a', /is not an http URL/],
    ['init --dir @/x --trust-domain A', /is not one/],
    ['init --dir @/x --root-lifetime 10d', /^$/],
    ['init --dir @/x2 --root-lifetime 1d --intermediate-lifetime 2d', /cannot live longer/],
    ['issue --dir @dir', /which NAME/],
    ['issue a b --dir @dir', /what is 'b'/],
    ['issue ../a --dir @dir --dns a.test', /must be letters/],
    ['issue ca --dir @dir --dns a.test', /name of the authority/],
    ['issue a --dir @dir', /what is it to name/],
    ['issue a --dir @dir --dsn a.test', /no flag '--dsn'; did you mean --dns\?/],
    ['issue a --dir @dir --dns', /--dns needs a value/],
    ['issue a --dir @dir --json=1', /--json takes no value/],
    ['issue a -d @dir', /flags begin with --/],
    ['issue a --dir @dir --dns a.test --lifetime long', /'long' is not a time/],
    ['issue a --dir @dir --dns a.test --template sever', /did you mean server/],
    ['issue a --url http://a --ca b --token-file c --dns a', /c does not exist|must be https/],
    ['revoke --dir @dir', /which one/],
    ['revoke 01 --dir @dir --reason bored', /it must be one of/],
    ['renew a --dir @dir --daemon', /--daemon is for --cert/],
    ['show', /which one/],
    ['token --dir @dir', /what is it for/],
    ['token --dir @dir --dns a.test --expires 8d', /at most 7d/],
    ['serve --dir @dir', /nothing to serve/],
    ['rotate', /--control is missing/],
    ['rotate --control 192.0.2.1:80', /must be a loopback address/],
  ];
  for (const [line, message] of cases) {
    const result = await run.run(line);
    assert.match(result.err, message, line);
    if (!/^\^\$$/.test(message.source) && !line.includes('--url'))
      assert.equal(result.code, 2, `${line}: ${result.err}`);
  }
  const json = await run.run('issue a --dir @dir --json');
  assert.deepEqual(json.json, {
    error: { kind: 'usage', message: 'what is it to name? Give --dns, --ip, --uri or --email' },
  });
  assert.equal((await run.run('')).code, 2);
  assert.equal((await run.run('help')).code, 0);
  assert.match((await run.run('issue --help')).out, /--lifetime TIME/);
});

test('what cannot be done exits with 1 and the reason', async (t) => {
  const run = new CommandRunner();
  t.after(() => run.remove());
  assert.match(
    (await run.run('issue a --dir @/none --dns a.test')).err,
    /no certificate authority in .*: run sluice certs init/,
  );
  assert.equal((await run.run('init --dir @dir --permit-dns a.test --trust-domain example.org')).code, 0);
  const cases: readonly [string, RegExp][] = [
    ['issue a --dir @dir --dns b.test', /b\.test is outside of what this authority may name/],
    ['issue a --dir @dir --uri spiffe://other.org/x', /is not in the trust domain example\.org/],
    ['issue a --dir @dir --dns x.a.test --lifetime 398d', /the template 'server' allows 397d/],
    ['issue --csr @/none --dir @dir', /none does not exist/],
    ['token --dir @dir --dns b.test', /outside of what/],
    ['renew none --dir @dir', /there is no certificate/],
    ['revoke ABCD --dir @dir', /no certificate with the serial number ABCD was issued here/],
    ['revoke not-there --dir @dir', /is no serial number, no file and no name/],
    ['revoke intermediate --dir @dir', /was issued here/],
    ['renew --cert @/a.crt --key @/a.key --url https://a --ca @/ca', /a\.crt does not exist/],
    ['rotate --control 127.0.0.1:1', /127\.0\.0\.1:1: /],
  ];
  for (const [line, message] of cases) {
    const result = await run.run(line);
    assert.equal(result.code, 1, line);
    assert.match(result.err, message, line);
  }
  const json = await run.run('revoke ABCD --dir @dir --json');
  assert.equal(json.json.error.kind, 'failed');
});

test('a request file is signed; one that asks for an authority is not', async (t) => {
  const run = new CommandRunner();
  t.after(() => run.remove());
  await run.run('init --dir @dir');
  run.write('a.csr', await createSigningRequest(await generatePrivateKey('RSA-2048'), { ...noNames, dns: ['a.test'] }));
  const signed = await run.run('issue --csr @/a.csr --dir @dir --lifetime 2h --json');
  assert.deepEqual(signed.json.names, ['DNS:a.test']);
  const leaf = new X509Certificate(signed.json.certificate);
  assert.equal(leaf.publicKey.asymmetricKeyType, 'rsa');
  const renamed = await run.run('issue --csr @/a.csr --dir @dir --dns b.test --json');
  assert.deepEqual(renamed.json.names, ['DNS:b.test']);
  run.write('bad.csr', 'nonsense');
  assert.match((await run.run('issue --csr @/bad.csr --dir @dir')).err, /not a PEM certificate request/);
});

test('show reads PEM, DER and names, and says what it cannot read', async (t) => {
  const run = new CommandRunner();
  t.after(() => run.remove());
  await run.run('init --dir @dir --name Example --crl-url http://crl.test/i.crl');
  await run.run('issue web --dir @dir --uri spiffe://example.org/web --dns web.test');
  const shown = await run.run('show web --dir @dir --json');
  const [{ source, certificates, chain_problem: problem }] = shown.json;
  assert.deepEqual([source, certificates.length, problem], ['web', 2, null]);
  const { serial, sha256, sha1, spki_sha256: spki, ...leaf } = certificates[0];
  assert.match(`${serial} ${sha256} ${sha1} ${spki}`, /^[0-9A-F]{32} [0-9a-f]{64} [0-9a-f]{40} [A-Za-z0-9+/]{43}=$/);
  assert.deepEqual(leaf, {
    subject: '',
    issuer: 'CN=Example intermediate',
    self_signed: false,
    names: { dns: ['web.test'], ip: [], uri: ['spiffe://example.org/web'], email: [] },
    spiffe_id: 'spiffe://example.org/web',
    not_before: '2029-12-31T23:59:00.000Z',
    not_after: '2030-01-01T01:00:00.000Z',
    days_left: 0,
    state: 'valid',
    key: 'P-256',
    authority: false,
    path_length: null,
    usages: ['serverAuth', 'clientAuth'],
    crl_urls: ['http://crl.test/i.crl'],
  });
  const pem = readFileSync(join(run.directory, 'web.crt'), 'utf8');
  writeFileSync(run.path('web.der'), new X509Certificate(pem).raw);
  assert.equal((await run.run('show @/web.der --json')).json[0].certificates[0].serial, serial);
  const text = await run.run('show web @dir/ca.crt --dir @dir');
  assert.match(text.out, /SPIFFE ID +spiffe:\/\/example\.org\/web\n/);
  assert.match(text.out, /1h left\n/);
  assert.match(text.out, /chain: 2 certificates, up to CN=Example\n/);
  assert.match(text.out, /CN=Example \(root authority\)/);
  run.now += 3 * hour;
  assert.match((await run.run('show web --dir @dir')).out, /EXPIRED 2h ago/);
  run.now -= 30 * hour;
  assert.match((await run.run('show web --dir @dir')).out, /NOT YET VALID: begins in 1d 2h/);
  run.write('twisted.pem', pem.slice(pem.indexOf('-----END CERTIFICATE-----\n') + 26) + pem);
  assert.match((await run.run('show @/twisted.pem')).out, /BROKEN: certificate 1 is not signed by certificate 2/);
  run.write('empty.pem', '');
  run.write('text.pem', 'hello');
  run.write('cut.pem', '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n');
  const cases: readonly [string, RegExp][] = [
    ['@/empty.pem', /empty\.pem: it is empty/],
    ['@/text.pem', /it holds no certificate/],
    ['@/cut.pem', /a certificate in it is not readable/],
    ['@dir/web.key', /it holds no certificate, but: PRIVATE KEY/],
    ['@dir', /is a directory/],
    ['nothing', /there is no such file/],
    ['127.0.0.1:99999', /not a port/],
    ['127.0.0.1:1', /127\.0\.0\.1:1: /],
  ];
  for (const [target, message] of cases) {
    const result = await run.run(`show ${target}`);
    assert.equal(result.code, 1, target);
    assert.match(result.err, message);
  }
});

test('the log can be read and verified, and tampering shows', async (t) => {
  const run = new CommandRunner();
  t.after(() => run.remove());
  await run.run('init --dir @dir');
  const token = await run.run('token --dir @dir --dns a.test --json');
  assert.deepEqual(Object.keys(token.json), ['id', 'token', 'template', 'names', 'expires']);
  await run.run('issue a --dir @dir --dns a.test');
  const { hash } = (await run.run('log --dir @dir --verify --json')).json;
  await run.run('issue b --dir @dir --dns b.test');
  const lines = (await run.run('log --dir @dir --json')).out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map(({ type }) => type),
    ['authority', 'authority', 'token', 'issued', 'issued'],
  );
  const good = await run.run(`log --dir @dir --verify --expect ${hash} --json`);
  assert.deepEqual([good.code, good.json.whole, good.json.entries], [0, true, 5]);
  const path = join(run.directory, 'issuance.log');
  const text = readFileSync(path, 'utf8');
  assert.ok(!text.includes(token.json.token.slice(17)), 'no secret in the log');
  const broken: readonly [string, string, RegExp][] = [
    ['a name is changed', text.replace('DNS:b.test', 'DNS:c.test'), /line 5 was changed/],
    ['a line is taken out', text.replace(/.*"type":"token".*\n/, ''), /line 3 does not follow/],
    ['the end is cut off', text.split('\n').slice(0, 4).join('\n').concat('\n'), /the log was cut: it had 5 lines/],
    ['nonsense is put in', text.replace('\n', '\nnonsense\n'), /line 2 is not a line of this log/],
  ];
  for (const [title, changed, message] of broken) {
    writeFileSync(path, changed);
    const verdict = await run.run('log --dir @dir --verify');
    assert.equal(verdict.code, 1, title);
    assert.match(verdict.out, message, title);
  }
  writeFileSync(path, text.replace('DNS:b.test', 'DNS:c.test'));
  assert.match((await run.run('issue c --dir @dir --dns c.test')).err, /issuance\.log: line 5 was changed/);
  // A line that a crash cut short was never told to anybody: it gives way.
  writeFileSync(path, text);
  appendFileSync(path, '{"seq":6,"time":"20');
  assert.equal((await run.run('issue c --dir @dir --dns c.test')).code, 0);
  assert.equal((await run.run('log --dir @dir --verify --json')).json.entries, 6);
  rmSync(join(run.directory, 'issuance.head'));
  assert.equal((await run.run('log --dir @dir --verify')).code, 0);
});
