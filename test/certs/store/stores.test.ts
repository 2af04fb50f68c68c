import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { StoreSecret } from '#certs/ca/encrypted-private-key.ts';
import { CertificateStore } from '#certs/store/certificate-store.ts';
import { verifyIssuanceLog } from '#certs/store/issuance-log.ts';
import { replaceFile } from '#certs/store/replace-file.ts';
import { withStoreLock } from '#certs/store/store-lock.ts';
import { TokenStore } from '#certs/store/token-store.ts';
import { hostName } from '#gateway/runtime/process.ts';
import { projectCommand } from '#test/support/gateway-command.ts';
import { ownRuntime } from '#test/support/gateway-process.ts';
import { AuthorityWorld, hour } from '../authority-world.ts';

test('a file is replaced whole, and nothing is left beside it', (t) => {
  const world = new AuthorityWorld();
  t.after(() => world.remove());
  const path = join(world.base, 'file');
  replaceFile(path, 'one', 0o600);
  replaceFile(path, new Uint8Array([0x74, 0x77, 0x6f]), 0o600);
  assert.equal(readFileSync(path, 'utf8'), 'two');
  assert.deepEqual(readdirSync(world.base), ['file']);
  assert.throws(() => replaceFile(join(world.base, 'none', 'file'), 'x', 0o600), /ENOENT/);
});

test('a store keeps keys encrypted and refuses to read what is open or of another secret', async (t) => {
  const world = new AuthorityWorld();
  t.after(() => world.remove());
  const secret = new StoreSecret(Buffer.from('correct horse'));
  const authority = await world.create({ secret, rootSecret: secret });
  const issued = await authority.issue({ name: 'a', dns: ['a.test'], ip: [], lifetimeMs: hour }, 'test');
  authority.store.save('a', issued);
  assert.ok(!readFileSync(authority.store.keyPath('a'), 'utf8').includes('BEGIN PRIVATE KEY'));
  assert.equal(authority.store.load('a')!.serial, issued.serial);
  assert.deepEqual(authority.store.names(), ['a', 'ca', 'intermediate']);
  assert.equal(authority.store.load('none'), null);
  assert.throws(() => new CertificateStore(world.directory).load('a'), /a\.key is encrypted: give/);
  const wrong = new CertificateStore(world.directory, new StoreSecret(Buffer.from('wrong horse')));
  assert.throws(() => wrong.load('a'), /a\.key: the passphrase or key file is not the one/);
  writeFileSync(authority.store.certificatePath('a'), readFileSync(authority.store.certificatePath('ca')));
  assert.throws(() => authority.store.load('a'), /a\.crt: the private key does not belong/);
  chmodSync(authority.store.keyPath('a'), 0o604);
  assert.throws(() => authority.store.load('a'), /a\.key has mode 0604/);
  chmodSync(world.directory, 0o710);
  assert.throws(() => new CertificateStore(world.directory), /state has mode 0710/);
});

test('tokens: once, in time, with the right secret; only hashes are kept', (t) => {
  const world = new AuthorityWorld();
  t.after(() => world.remove());
  new CertificateStore(world.directory);
  const store = new TokenStore(world.directory);
  const grant = {
    template: 'server',
    names: ['DNS:a.test'],
    maxLifetimeMs: hour,
    expiresMs: world.now + hour,
  } as const;
  const { id, token } = store.mint(grant, world.now);
  const text = token.reveal();
  assert.match(text, /^sct_[0-9a-f]{12}_[A-Za-z0-9_-]{43}$/);
  assert.ok(!readFileSync(join(world.directory, 'tokens.json'), 'utf8').includes(text.slice(17)));
  assert.equal(String(token), '[redacted]');
  assert.deepEqual(store.check(text, world.now), { id, ...grant });
  for (const other of [
    '',
    'sct_',
    text.slice(0, -1),
    `${text}A`,
    text.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
  ]) {
    assert.equal(store.check(other, world.now), 'the token is not known');
  }
  assert.equal(store.check(text, world.now + hour), 'the token has expired');
  assert.deepEqual(new TokenStore(world.directory).redeem(text, world.now), { id, ...grant });
  assert.equal(store.redeem(text, world.now), 'the token was used already');
  store.mint(grant, world.now + 9 * 24 * hour);
  assert.equal(store.check(text, world.now), 'the token is not known', 'old ones are forgotten');
  writeFileSync(join(world.directory, 'tokens.json'), '{}');
  assert.throws(() => store.check(text, world.now), /tokens\.json is damaged/);
  chmodSync(join(world.directory, 'tokens.json'), 0o644);
  assert.throws(() => store.check(text, world.now), /tokens\.json has mode 0644/);
});

test('the lock of a process that died gives way; it is free after an error', (t) => {
  const world = new AuthorityWorld();
  t.after(() => world.remove());
  const lock = join(world.base, 'lock');
  assert.throws(
    () =>
      withStoreLock(world.base, () => {
        assert.ok(existsSync(lock));
        throw new Error('inside');
      }),
    /inside/,
  );
  assert.ok(!existsSync(lock));
  writeFileSync(lock, `999999999 ${hostName()}\n`);
  assert.equal(
    withStoreLock(world.base, () => 'mine'),
    'mine',
  );
});

test('several processes write one log and one chain', async (t) => {
  const world = new AuthorityWorld(Date.now());
  t.after(() => world.remove());
  await world.create();
  const command = projectCommand(ownRuntime, 'certs/main.ts');
  const issue = async (name: string): Promise<number | null> =>
    await new Promise((resolve) => {
      const args = [...command.slice(1), 'issue', name, '--dir', world.directory, '--dns', `${name}.test`];
      spawn(command[0]!, args, { stdio: 'ignore' }).on('exit', (code) => resolve(code));
    });
  const authority = world.open();
  const [one, two] = await Promise.all([
    issue('one'),
    issue('two'),
    authority.issue({ name: 'three', dns: ['three.test'], ip: [], lifetimeMs: hour }, 'test'),
  ]);
  assert.deepEqual([one, two], [0, 0]);
  assert.deepEqual(verifyIssuanceLog(world.directory).problems, []);
  authority.log.refresh();
  assert.deepEqual([...authority.log.records()].flatMap(({ names }) => names).sort(), [
    'DNS:one.test',
    'DNS:three.test',
    'DNS:two.test',
  ]);
});
