// Scans sluice on every installed runtime, and Envoy beside it, with testssl.sh, and prints one table.
//
//   npm run testssl -- [--servers bun,deno,node,envoy] [--keep DIR]
//
// Sections: protocols, ciphers, forward secrecy, server defaults, vulnerabilities. The certificate is from certs/, with its
// root given to testssl.sh, and the server is scanned by name (localhost). Ends with 1 when a finding about sluice is above
// low.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { hasRuntime, projectCommand } from '../support/gateway-command.ts';
import { ownRuntime } from '../support/gateway-process.ts';
import { findPeer } from '../support/peers.ts';
import { isAboveLow, isBad, type ScanFinding, type ScanTarget, scan } from './scan.ts';

const { values: options } = parseArgs({
  options: {
    servers: { type: 'string', default: 'bun,deno,node,envoy' },
    keep: { type: 'string', default: '' },
  },
});

const testssl = findPeer('testssl');
if (testssl === null) {
  console.error('testssl.sh is needed (Debian package testssl.sh)');
  process.exit(2);
}

const dir = mkdtempSync(join(tmpdir(), 'sluice-testssl-'));
const certs = (...args: string[]): void => {
  const [program, ...rest] = projectCommand(ownRuntime, 'certs/main.ts');
  execFileSync(program!, [...rest, ...args, '--dir', join(dir, 'certs')], { stdio: ['ignore', 'ignore', 'inherit'] });
};

function targets(): ScanTarget[] {
  const found: ScanTarget[] = [];
  for (const name of options.servers.split(',')) {
    const envoy = name === 'envoy' ? findPeer('envoy') : null;
    if (envoy !== null) found.push({ name, envoy, runtime: null });
    else if (hasRuntime(name)) found.push({ name: `sluice, ${name}`, envoy: null, runtime: name });
  }
  return found;
}

function row(cells: readonly string[]): void {
  console.log(`| ${cells.join(' | ')} |`);
}

function print(names: readonly string[], results: readonly ReadonlyMap<string, ScanFinding>[]): void {
  const ids = new Set(results.flatMap((result) => [...result.values()].filter(isBad).map(({ id }) => id)));
  row(['finding other than OK or INFO', ...names]);
  row(['---', ...names.map(() => '---')]);
  for (const id of ids) {
    const cells = results.map((result) => {
      const finding = result.get(id);
      return finding === undefined ? '-' : `${finding.severity}: ${finding.finding.replaceAll('|', '/')}`;
    });
    row([id, ...cells]);
  }
  row([
    'findings OK or INFO',
    ...results.map((result) => String([...result.values()].filter((f) => !isBad(f)).length)),
  ]);
}

let failed = false;
try {
  certs('init', '--crl-url', 'http://localhost/crl/intermediate.crl');
  certs('issue', 'edge', '--dns', 'localhost', '--ip', '127.0.0.1', '--lifetime', '89d');
  const names: string[] = [];
  const results: Map<string, ScanFinding>[] = [];
  for (const target of targets()) {
    const findings = await scan(testssl, target, join(dir, 'certs'), options.keep === '' ? dir : options.keep);
    names.push(target.name);
    results.push(findings);
    const high = [...findings.values()].filter(isAboveLow);
    if (high.length > 0 && target.envoy === null) failed = true;
    console.error(`${target.name}: ${findings.size} findings, ${high.length} above low`);
  }
  print(names, results);
} finally {
  rmSync(dir, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
