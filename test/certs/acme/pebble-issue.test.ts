import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runAcme } from '#test/support/acme-run.ts';
import { projectCommand } from '#test/support/gateway-command.ts';
import { ownRuntime } from '#test/support/gateway-process.ts';
import { withPebble } from '#test/support/pebble.ts';
import { peerTest } from '#test/support/peers.ts';
import { freePorts } from '#test/support/running-program.ts';

function filesUnder(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

peerTest(
  'pebble',
  'http-01: several names in one order, faults on, then nothing to do, then renewal',
  async (binary) => {
    const [httpPort = 0] = await freePorts(1);
    const faults = { PEBBLE_WFE_NONCEREJECT: '40', PEBBLE_VA_SLEEPTIME: '1', PEBBLE_AUTHZREUSE: '50' };
    await withPebble(binary, { httpPort, faults }, async (pebble, dir, base) => {
      const registered = await runAcme('register', ...base, '--agree-tos', '--email', 'ops@example.test', '--json');
      assert.equal(registered.code, 0, registered.log);
      assert.match(JSON.parse(registered.text).account, /^https:\/\/127\.0\.0\.1/);
      const names = ['--name', 'edge', '--dns', 'a.example.test', '--dns', 'B.example.test', '--key-type', 'p384'];
      const out = join(dir, 'out');
      const more = ['--http-listen', `127.0.0.1:${httpPort}`, '--write-to', out, '--json'];
      const issued = await runAcme('issue', ...base, ...names, ...more);
      assert.equal(issued.code, 0, issued.text + issued.log);
      assert.equal(JSON.parse(issued.text).orders[0].outcome, 'issued');
      const certificate = new X509Certificate(readFileSync(join(out, 'edge.crt')));
      assert.equal(certificate.subjectAltName, 'DNS:a.example.test, DNS:b.example.test');
      assert.equal(certificate.publicKey.asymmetricKeyDetails?.namedCurve, 'secp384r1');
      const chain = readFileSync(join(out, 'edge.crt'), 'utf8').split(/(?<=-----END CERTIFICATE-----\n)/);
      const intermediate = new X509Certificate(chain[1]!);
      assert.ok(certificate.verify(intermediate.publicKey));
      assert.ok(intermediate.verify(new X509Certificate(await pebble.root()).publicKey));

      const again = await runAcme('issue', ...base, ...names, ...more);
      assert.equal(JSON.parse(again.text).orders[0].outcome, 'current');
      assert.equal(pebble.count('There are now 2 certificates'), 0);

      const renewed = await runAcme('renew', ...base, '--force', ...more);
      assert.equal(renewed.code, 0, renewed.text + renewed.log);
      assert.equal(JSON.parse(renewed.text).orders[0].outcome, 'issued');
      assert.notEqual(new X509Certificate(readFileSync(join(out, 'edge.crt'))).serialNumber, certificate.serialNumber);

      const status = JSON.parse((await runAcme('status', '--storage', join(dir, 'state'), '--json')).text);
      assert.equal(status.certificates[0].state, 'ok');
      assert.equal(status.accounts[0].contacts[0], 'ops@example.test');
      for (const file of filesUnder(join(dir, 'state'))) assert.equal(statSync(file).mode & 0o077, 0, file);
      assert.deepEqual(
        filesUnder(join(dir, 'state')).filter((file) => file.includes('/token/') || file.includes('/lock/')),
        [],
      );
      assert.ok(!/PRIVATE KEY/.test(issued.log + issued.text + renewed.log), 'a key was shown');
    });
  },
);

peerTest('pebble', 'dns-01: a wildcard and its base name by a hook, with a look at the resolver', async (binary) => {
  await withPebble(binary, {}, async (pebble, dir, base) => {
    const [program, ...args] = projectCommand(ownRuntime, 'test/support/acme-dns-hook.ts');
    const hook = [program!, ...args, String(pebble.dnsManagementPort)].flatMap((word, i) => [
      i === 0 ? '--dns-hook' : '--dns-hook-arg',
      word,
    ]);
    const names = ['--challenge', 'dns-01', '--name', 'wild', '--dns', 'wild.test', '--dns', '*.wild.test'];
    const out = join(dir, 'out');
    const issued = await runAcme(
      'issue',
      ...base,
      '--agree-tos',
      ...names,
      ...hook,
      '--dns-resolver',
      pebble.dnsServer,
      '--write-to',
      out,
    );
    assert.equal(issued.code, 0, issued.text + issued.log);
    const certificate = new X509Certificate(readFileSync(join(out, 'wild.crt')));
    assert.deepEqual(certificate.subjectAltName?.split(', ').sort(), ['DNS:*.wild.test', 'DNS:wild.test']);
  });
});

peerTest('pebble', 'dns-01: a hook that fails or hangs is named, and the next attempt waits', async (binary) => {
  await withPebble(binary, {}, async (_pebble, _dir, base) => {
    const wild = ['--challenge', 'dns-01', '--name', 'wild', '--dns', '*.wild.test'];
    const fails = await runAcme('issue', ...base, '--agree-tos', ...wild, '--dns-hook', 'false');
    assert.equal(fails.code, 1);
    assert.match(
      fails.log,
      /order 'wild' \(\*\.wild\.test\).*DNS hook 'false' add _acme-challenge\.wild\.test: ended with code 1/,
    );
    const hook = ['--dns-hook', 'sleep', '--dns-hook-arg', '60', '--dns-hook-timeout', '0.2s'];
    const waits = await runAcme('issue', ...base, ...wild, ...hook);
    assert.match(waits.log, /not tried again before .*--force/);
    const hangs = await runAcme(
      'issue',
      ...base,
      ...wild,
      '--force',
      '--dns-hook',
      'tail',
      '--dns-hook-arg',
      '-f',
      '--dns-hook-arg',
      '/dev/null',
      '--dns-hook-timeout',
      '0.2s',
    );
    assert.match(hangs.log, /took longer than 200 ms and was killed/);
  });
});

peerTest(
  'pebble',
  'external account binding: required, refused with a wrong key, accepted with the right one',
  async (binary) => {
    const hmac = 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W';
    await withPebble(binary, { externalAccounts: { 'kid-1': hmac } }, async (_pebble, dir, base) => {
      const without = await runAcme('register', ...base, '--agree-tos');
      assert.equal(without.code, 1);
      assert.match(without.log, /--eab-kid and --eab-hmac-file/);
      writeFileSync(join(dir, 'wrong'), 'b10lLJs8l1GPIzsLP0s6pMt8O0XVGnfTaCeROxQM0BIt2XrJMDHJZBM5NuQmQJQH\n');
      const wrong = await runAcme(
        'register',
        ...base,
        '--agree-tos',
        '--eab-kid',
        'kid-1',
        '--eab-hmac-file',
        join(dir, 'wrong'),
      );
      assert.equal(wrong.code, 1);
      assert.ok(!wrong.log.includes('b10l'), wrong.log);
      writeFileSync(join(dir, 'right'), `${hmac}\n`);
      const right = await runAcme(
        'register',
        ...base,
        '--agree-tos',
        '--eab-kid',
        'kid-1',
        '--eab-hmac-file',
        join(dir, 'right'),
      );
      assert.equal(right.code, 0, right.log);
      assert.match(right.text, /^account https:/);
    });
  },
);

peerTest('pebble', 'the terms of service have to be agreed to, and the CA to be trusted', async (binary) => {
  await withPebble(binary, {}, async (pebble, dir, base) => {
    const silent = await runAcme('register', ...base);
    assert.equal(silent.code, 1);
    assert.match(silent.log, /terms of service \(.*\) have to be agreed to: --agree-tos/);
    const bare = ['--directory', pebble.directoryUrl, '--storage', join(dir, 'other')];
    const untrusted = await runAcme('register', ...bare, '--agree-tos');
    assert.equal(untrusted.code, 1);
    assert.match(untrusted.log, /--ca FILE/);
    const nobody = await runAcme('issue', ...base, '--name', 'edge', '--dns', 'a.test');
    assert.match(nobody.log, /there is no account at .*: sluice certs acme register --agree-tos/);
  });
});
