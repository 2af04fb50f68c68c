import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import process from 'node:process';
import { after, before, describe, it, test } from 'node:test';
import { tlsCapabilities } from '#gateway/runtime/tls-capabilities.ts';
import { createCertificate } from '../support/certificates.ts';
import { gatewayCommand, hasRuntime, projectCommand } from '../support/gateway-command.ts';
import { ownRuntime } from '../support/gateway-process.ts';

const dir = process.env['SLUICE_CONFORMANCE_DIR'] ?? '';

/** A few real configurations, one for each large feature; the whole set is `npm run conformance`. */
const sample = [
  'client-ip-detection',
  'host-normalization',
  'http-route-direct-response',
  'http-route-multiple-matches',
  'http-route-redirect',
  'http-route-regex',
  'http-route-response-add-remove-headers',
  'http-route-rewrite-url-regex',
  'http-route-weighted-backend-with-filters',
  'mutual-tls',
  'path-settings',
  'simple-tls',
];

/** Those of them that ask TLS for what this runtime cannot do (no session tickets), and are refused for it. */
const beyondRuntime = tlsCapabilities.sessionTicketsOff ? [] : ['mutual-tls', 'simple-tls'];

/** What each refused configuration is refused for. */
const causes: Readonly<Record<string, RegExp>> = {
  'backend-tls-settings': /ecdh_curves/,
  cors: /safe_regex.*missing argument to repetition operator/,
  'http-route-partial-invalid': /unknown cluster "invalid-route-dest"/,
  'http-route-weighted-invalid-backend': /unknown cluster "invalid-backend-cluster"/,
  'local-ratelimit-distinct': /fill_interval: must be greater than 0s/,
  'multiple-listeners-same-port': /second wildcard domain "\*"/,
  'multiple-simple-tcp-route-same-port': /filter_chains\[1\]: has the same filter_chain_match/,
};

/** Runs a command to its end. */
function finish(command: readonly string[], cwd: string): Promise<{ code: number; text: string }> {
  const [program, ...args] = command;
  return new Promise((done) => {
    execFile(program!, args, { cwd, maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      done({ code: error === null ? 0 : Number(error.code ?? -1), text: stdout + stderr });
    });
  });
}

if (dir === '') {
  test('[SLUICE_CONFORMANCE_DIR] real configurations: the variable is not set', { skip: true }, () => {});
} else {
  describe('real configurations', () => {
    const work = mkdtempSync(join(tmpdir(), 'sluice-conformance-test-'));

    before(async () => {
      mkdirSync(join(work, 'certs'));
      const leaf = await createCertificate({ name: 'localhost', sans: ['dns:localhost'] });
      for (const name of ['tls.crt', 'ca.crt']) writeFileSync(join(work, 'certs', name), leaf.certificate);
      writeFileSync(join(work, 'certs', 'tls.key'), leaf.privateKey, { mode: 0o600 });
    });

    after(() => rmSync(work, { recursive: true, force: true }));

    it('load, and their answers are the recorded ones', async () => {
      const missing = sample.filter((name) => !readdirSync(join(dir, 'gateway')).includes(`${name}.json`));
      assert.deepEqual(missing, []);
      // The clients and the upstreams run on Node, whose HTTP and TLS clients leave nothing out; the gateway on this runtime.
      const driver = projectCommand(hasRuntime('node') ? 'node' : 'bun', 'test/conformance/main.ts');
      const options = ['--dir', resolve(dir), '--runtime', ownRuntime, '--verbose'];
      const { text } = await finish([...driver, ...options, ...sample], work);
      const count = String(sample.length - beyondRuntime.length);
      const [, loaded, of, clean] =
        /(\d+) of (\d+) configurations load, (\d+) answer as the reference/.exec(text) ?? [];
      assert.deepEqual([loaded, of, clean], [count, String(sample.length), count], text);
      for (const name of beyondRuntime)
        assert.match(text, new RegExp(`^${name}: not loaded: .*cannot refuse to resume`, 'm'));
    });

    const refused = join(dir, 'refused');
    for (const file of readdirSync(refused).filter((name) => name.endsWith('.json'))) {
      const name = basename(file, '.json');
      it(`${name} is refused, and the message names the cause`, async () => {
        const copy = join(work, file);
        copyFileSync(join(refused, file), copy);
        const { code, text } = await finish([...gatewayCommand(ownRuntime), 'validate', '-c', copy], work);
        assert.equal(code, 1, text);
        assert.match(text, causes[name] ?? /error: /);
      });
    }
  });
}
