import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { splitChain } from '#certs/acme/preferred-chain.ts';
import { runAcme } from '#test/support/acme-run.ts';
import { withPebble } from '#test/support/pebble.ts';
import { peerTest } from '#test/support/peers.ts';
import { freePorts } from '#test/support/running-program.ts';

peerTest('pebble', 'the preferred chain is taken where several are offered', async (binary) => {
  const [httpPort = 0] = await freePorts(1);
  const faults = { PEBBLE_VA_NOSLEEP: '1', PEBBLE_ALTERNATE_ROOTS: '2', PEBBLE_CHAIN_LENGTH: '2' };
  await withPebble(binary, { httpPort, faults }, async (pebble, dir, base) => {
    const issue = async (name: string, ...more: string[]): Promise<string> => {
      const listen = ['--http-listen', `127.0.0.1:${httpPort}`, '--write-to', dir];
      const names = ['--name', name, '--dns', `${name}.test`];
      const run = await runAcme('issue', ...base, '--agree-tos', ...listen, ...names, ...more);
      assert.equal(run.code, 0, run.log);
      return readFileSync(join(dir, `${name}.crt`), 'utf8');
    };
    const topIssuer = (chain: string): string => new X509Certificate(splitChain(chain).at(-1)!).issuer;
    const rootNames = await Promise.all([0, 1, 2].map(async (i) => new X509Certificate(await pebble.root(i)).subject));
    assert.equal(topIssuer(await issue('first')), rootNames[0]);
    const wanted = rootNames[2]!.replace(/^CN=/, '');
    const chosen = await issue('third', '--preferred-chain', wanted);
    assert.equal(topIssuer(chosen), rootNames[2]);
    assert.equal(splitChain(chosen).length, 3);
    assert.equal(topIssuer(await issue('unknown', '--preferred-chain', 'Nobody')), rootNames[0]);
  });
});

peerTest('pebble', 'keys of each type, with a sealed storage', async (binary) => {
  const [httpPort = 0] = await freePorts(1);
  await withPebble(binary, { httpPort }, async (_pebble, dir, base) => {
    const passphrase = join(dir, 'passphrase');
    writeFileSync(passphrase, 'correct horse battery\n', { mode: 0o600 });
    const sealed = ['--passphrase-file', passphrase];
    const types = ['p256', 'p384', 'rsa2048', 'rsa3072'];
    const names = types.flatMap((type) => ['--name', type, '--dns', `${type}.test`, '--key-type', type]);
    const listen = ['--http-listen', `127.0.0.1:${httpPort}`, '--write-to', dir];
    const run = await runAcme('issue', ...base, ...sealed, '--agree-tos', ...listen, ...names);
    assert.equal(run.code, 0, run.log);
    const kinds = types.map((type) => {
      const { asymmetricKeyType, asymmetricKeyDetails } = new X509Certificate(readFileSync(join(dir, `${type}.crt`)))
        .publicKey;
      return `${asymmetricKeyType} ${asymmetricKeyDetails?.namedCurve ?? asymmetricKeyDetails?.modulusLength}`;
    });
    assert.deepEqual(kinds, ['ec prime256v1', 'ec secp384r1', 'rsa 2048', 'rsa 3072']);
    const without = await runAcme('status', ...base);
    assert.match(without.log, /the storage is sealed: give --passphrase-file or --key-file/);
  });
});

peerTest('pebble', 'a name that nobody answers for is told with its reason and way out, and waits', async (binary) => {
  await withPebble(binary, {}, async (pebble, _dir, base) => {
    const names = ['--name', 'edge', '--dns', 'a.test', '--dns', 'b.test'];
    const failed = await runAcme('issue', ...base, '--agree-tos', ...names);
    assert.equal(failed.code, 1);
    assert.match(failed.log, /order 'edge' \(a\.test, b\.test\) https:.*: http-01 failed for [ab]\.test: connection: /);
    assert.match(failed.log, /- check that the name leads to this gateway and that its port is open/);
    const orders = pebble.count('POST /order-plz');
    const again = await runAcme('issue', ...base, ...names);
    assert.equal(again.code, 1);
    assert.match(again.log, /not tried again before \d{4}-.* \(--force tries at once\), after: order 'edge'/);
    assert.equal(pebble.count('POST /order-plz'), orders);
    const status = JSON.parse((await runAcme('status', ...base, '--json')).text).certificates[0];
    assert.deepEqual([status.name, status.state, status.serial], ['edge', 'failing', null]);
    assert.match(again.log, new RegExp(status.next_attempt));
  });
});
