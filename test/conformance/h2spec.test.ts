import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import { createCertificate } from '#test/support/certificates.ts';
import { startH2TestServer } from '#test/support/h2-test-server.ts';
import { peerTest } from '#test/support/peers.ts';

/** Runs h2spec and returns its last line: `145 tests, 145 passed, 0 skipped, 0 failed`. */
async function runH2spec(path: string, args: readonly string[]): Promise<string> {
  const child = spawn(path, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await new Promise((resolve) => child.on('close', resolve));
  const lines = output.trimEnd().split('\n');
  const summary = lines.at(-1) ?? '';
  return summary.includes(', 0 failed') ? summary : output.slice(output.indexOf('Failures:'));
}

const modes = [
  { strict: false, expected: '145 tests, 145 passed, 0 skipped, 0 failed' },
  { strict: true, expected: '146 tests, 146 passed, 0 skipped, 0 failed' },
] as const;

for (const tls of [false, true]) {
  for (const { strict, expected } of modes) {
    peerTest(
      'h2spec',
      `HTTP/2 server codec, ${tls ? 'TLS' : 'clear text'}${strict ? ', strict' : ''}`,
      async (path) => {
        const made = tls ? await createCertificate({ name: 'localhost', sans: ['dns:localhost'] }) : null;
        const identity = made === null ? null : { key: made.privateKey, cert: made.certificate };
        const server = await startH2TestServer(identity);
        const { port } = server.address() as AddressInfo;
        const args = ['-h', '127.0.0.1', '-p', String(port), ...(tls ? ['-t', '-k'] : []), ...(strict ? ['-S'] : [])];
        try {
          assert.equal(await runH2spec(path, args), expected);
        } finally {
          server.close();
        }
      },
    );
  }
}
