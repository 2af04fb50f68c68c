import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { FakeAuthority } from '#test/support/acme-authority.ts';
import { runAcme, withFolder } from '#test/support/acme-run.ts';
import { createCertificate } from '#test/support/certificates.ts';
import { projectCommand } from '#test/support/gateway-command.ts';
import { ownRuntime } from '#test/support/gateway-process.ts';
import { type RunningProgram, startProgram } from '#test/support/running-program.ts';

/** `sluice certs ARGS` as a process, on the runtime of this test. */
function certs(...args: readonly string[]): RunningProgram {
  return startProgram([...projectCommand(ownRuntime, 'certs/main.ts'), ...args]);
}

/** An authority and a folder with a configuration for it. */
async function withAuthority(work: (dir: string, config: string) => Promise<void>): Promise<void> {
  await withFolder(async (dir) => {
    const authority = new FakeAuthority();
    await authority.start();
    const config = join(dir, 'acme.yaml');
    writeFileSync(
      config,
      `directory: ${authority.directoryUrl}
storage: ${join(dir, 'state')}
agree_tos: true
http_listen: 127.0.0.1:0
certificates: [{ name: edge, dns: [a.test] }]
`,
    );
    await work(dir, config).finally(() => authority.stop());
  });
}

interface Listed {
  readonly certificates: readonly { readonly name: string; readonly names: string }[];
}

describe('as a process', () => {
  it('sluice certs acme serve gets a certificate, writes it, and ends at SIGTERM', () =>
    withAuthority(async (dir, config) => {
      const out = join(dir, 'out');
      const running = certs('acme', 'serve', '--config', config, '--write-to', out);
      await running.until(() => existsSync(join(out, 'edge.crt')));
      assert.equal(statSync(join(out, 'edge.key')).mode & 0o777, 0o600);
      assert.match(readFileSync(join(out, 'edge.crt'), 'utf8'), /^-----BEGIN CERTIFICATE-----/);
      assert.equal(await running.stop(), 0, running.output());
      const status = await runAcme('status', '--storage', join(dir, 'state'), '--json');
      assert.equal(JSON.parse(status.text).certificates[0].state, 'ok');
    }));

  it('sluice certs serve offers the own authority, ACME and watched files together', () =>
    withAuthority(async (dir, config) => {
      const watched = await createCertificate({ name: 'w.test', sans: ['dns:w.test'] });
      const [crt, key] = [join(dir, 'w.crt'), join(dir, 'w.key')];
      writeFileSync(crt, watched.certificate);
      writeFileSync(key, watched.privateKey, { mode: 0o600 });
      const addresses = ['--listen', '127.0.0.1:0', '--control', '127.0.0.1:0', '--json'];
      const own = ['--name', 'own', '--dns', 'own.test'];
      const running = certs(
        'serve',
        '--dir',
        join(dir, 'ca'),
        ...addresses,
        ...own,
        '--acme',
        config,
        '--watch',
        `files=${crt},${key}`,
      );
      try {
        await running.until(() => /"ports":/.test(running.output()));
        const control = /"control":(\d+)/.exec(running.output())![1];
        let listed: Listed = { certificates: [] };
        await running.until(async () => {
          listed = (await (await fetch(`http://127.0.0.1:${control}/certificates`)).json()) as Listed;
          return listed.certificates.length >= 3;
        });
        const names = listed.certificates.map(({ name, names: of }) => `${name} ${of}`).sort();
        assert.deepEqual(names, ['edge DNS:a.test', 'files DNS:w.test', 'own DNS:own.test']);
      } finally {
        await running.stop();
      }
      assert.ok(!/PRIVATE KEY/.test(running.output()));
    }));
});
