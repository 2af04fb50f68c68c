import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { createCertificate } from '#test/support/certificates.ts';
import { gatewayCommand } from '#test/support/gateway-command.ts';
import { ownRuntime } from '#test/support/gateway-process.ts';
import { fileSource, rotationBootstrap, secretYaml } from '#test/support/rotation-gateway.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-check-'));
after(() => rmSync(dir, { recursive: true, force: true }));
const ca = await createCertificate({ name: 'ca', ca: true });
const stranger = await createCertificate({ name: 'stranger', ca: true });
const good = await createCertificate({ name: 'a.test', sans: ['dns:a.test', 'dns:*.b.test'], issuer: ca });
const other = await createCertificate({ name: 'other', sans: ['dns:other.test'], issuer: ca });
const expired = await createCertificate({
  name: 'old',
  sans: ['dns:a.test'],
  notBefore: new Date(0),
  notAfter: new Date(1e12),
});

function file(name: string, text: string | Uint8Array): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
}
const goodFile = file('good.crt', good.certificate);
const goodKey = file('good.key', good.privateKey);
const caFile = file('ca.crt', ca.certificate);
const expiredFile = file('expired.crt', expired.certificate);

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function check(...args: string[]): Promise<Ran> {
  const [program, ...rest] = [...gatewayCommand(ownRuntime), 'certs-check', ...args];
  const child = spawn(program!, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += String(chunk);
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += String(chunk);
  });
  return new Promise((done) => child.once('close', (code) => done({ code, out, err })));
}

describe('sluice certs check', () => {
  it('a good one: 0, and what it is', async () => {
    const { code, out } = await check(goodFile, '--key', goodKey, '--ca', caFile, '--name', 'x.b.test');
    assert.equal(code, 0, out);
    assert.match(out, /good\.crt: good\n {2}'a\.test' for a\.test, \*\.b\.test, until .*Z, 9 days left\n$/);
  });

  it('certificate and key in one file', async () => {
    const { code, out } = await check(file('both.pem', good.privateKey + good.certificate), '--json');
    assert.equal(code, 0, out);
    const [only] = JSON.parse(out).certificates;
    assert.equal(only.key_checked, true);
    assert.deepEqual(only.findings, []);
    assert.equal(only.chain[0].subject, 'a.test');
    assert.ok(!out.includes('PRIVATE'));
  });

  const bad: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['the key of another', ['--key', file('other.key', other.privateKey)], /does not belong to the certificate/],
    [
      'a client that does not trust it',
      ['--ca', file('stranger.crt', stranger.certificate)],
      /a client with this CA refuses it/,
    ],
    ['a name that it has not', ['--name', 'c.test'], /is not for c\.test/],
  ];
  for (const [title, args, expected] of bad) {
    it(`${title}: 1, and the reason`, async () => {
      const { code, out } = await check(goodFile, ...args);
      assert.equal(code, 1);
      assert.match(out, /good\.crt: REFUSED/);
      assert.match(out, expected);
    });
  }

  it('DER, nothing, and an expired one that replaces a good one; --json names each', async () => {
    const files = [file('der.crt', new Uint8Array(good.x509.rawData)), file('empty.crt', ''), expiredFile];
    const { code, out } = await check(...files, '--replaces', goodFile, '--json');
    assert.equal(code, 1);
    const found = JSON.parse(out).certificates.map(({ findings }: { findings: { code: string; severity: string }[] }) =>
      findings.filter(({ severity }) => severity === 'refuse').map((finding) => finding.code),
    );
    assert.deepEqual(found, [['pem-der'], ['pem-empty'], ['expired']]);
  });

  it('an expired one that comes first is only warned of', async () => {
    const { code, out } = await check(expiredFile);
    assert.equal(code, 0);
    assert.match(out, /warning: the certificate 'old' expired 2001-09-09T01:46:40Z/);
  });

  it('a bootstrap: every secret that is in files', async () => {
    const secret = (key: string): string =>
      `tls_certificate: { certificate_chain: { filename: "${goodFile}" }, private_key: { filename: "${key}" } }`;
    const sds = file('sds.yaml', secretYaml('edge', secret(goodKey)));
    const config = file('bootstrap.yaml', rotationBootstrap({ certificate: fileSource(sds) }));
    const right = await check('-c', config);
    assert.equal(right.code, 0, right.out + right.err);
    assert.match(right.out, /^secret 'edge': good$/m);
    file('sds.yaml', secretYaml('edge', secret(file('other.key', other.privateKey))));
    const wrong = await check('-c', config, '--json');
    assert.equal(wrong.code, 1);
    assert.match(JSON.parse(wrong.out).checks[0].findings[0].detail, /does not belong to the certificate/);
  });

  it('no file or an unknown flag: 2, as with the other commands for certificates', async () => {
    const nothing = await check();
    assert.equal(nothing.code, 2);
    assert.match(nothing.err, /no file is given/);
    const unknown = await check('--keys', 'x');
    assert.equal(unknown.code, 2);
    assert.match(unknown.err, /did you mean --key/);
  });

  it('a file that is not there: 1 with a word', async () => {
    const { code, err } = await check(join(dir, 'nothing.crt'));
    assert.equal(code, 1);
    assert.match(err, /nothing\.crt/);
  });
});
