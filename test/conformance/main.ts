// How many real configurations load, and how many of their answers are Envoy's.
//
//   npm run conformance -- [--dir DIR] [--envoy BINARY] [--runtime bun|deno|node] [--verbose] [NAME...]
//
// DIR (or SLUICE_CONFORMANCE_DIR) holds `gateway/NAME.json` with `NAME.requests.json`, Envoy's recorded answers in
// `gateway.envoy.json` (not needed with --envoy: then a live Envoy is asked the same), and `refused/` and `examples/`.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { createCertificate } from '../support/certificates.ts';
import { gatewayCommand } from '../support/gateway-command.ts';
import { difference, type Query, type Recording } from './answer.ts';
import { EchoUpstreams } from './echo-upstream.ts';
import { type Hoped, type ProxyCommand, recordConfiguration } from './record.ts';
import { Report } from './report.ts';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    dir: { type: 'string' },
    envoy: { type: 'string' },
    runtime: { type: 'string', default: 'bun' },
    verbose: { type: 'boolean', default: false },
  },
});
const dir = options.dir ?? process.env['SLUICE_CONFORMANCE_DIR'];
if (dir === undefined) {
  console.error('which directory? --dir DIR or SLUICE_CONFORMANCE_DIR');
  process.exit(2);
}
const configs = join(resolve(dir), 'gateway');
const names = readdirSync(configs)
  .filter((file) => file.endsWith('.requests.json'))
  .map((file) => file.slice(0, -'.requests.json'.length))
  .filter((name) => positionals.length === 0 || positionals.includes(name))
  .sort();

const workDir = mkdtempSync(join(tmpdir(), 'sluice-conformance-'));
mkdirSync(join(workDir, 'certs'));
const { certificate, privateKey } = await createCertificate({
  name: 'localhost',
  sans: ['dns:localhost', 'ip:127.0.0.1'],
});
writeFileSync(join(workDir, 'certs', 'tls.crt'), certificate);
writeFileSync(join(workDir, 'certs', 'tls.key'), privateKey, { mode: 0o600 });
writeFileSync(join(workDir, 'certs', 'ca.crt'), certificate);

const upstreams = new EchoUpstreams({ cert: certificate, key: privateKey });
const common = ['--concurrency', '1', '-l', 'error', '-c', '{config}'];
const ours: ProxyCommand = [...gatewayCommand(options.runtime), 'run', ...common];
const envoy: ProxyCommand | null =
  options.envoy === undefined ? null : [options.envoy, '--disable-hot-restart', ...common];
const recorded: Record<string, Recording> =
  envoy === null ? JSON.parse(readFileSync(join(resolve(dir), 'gateway.envoy.json'), 'utf8')) : {};

const report = new Report(options.verbose);
for (const name of names) {
  const config = join(configs, `${name}.json`);
  const queries = JSON.parse(readFileSync(join(configs, `${name}.requests.json`), 'utf8')) as Query[];
  const reference =
    envoy === null ? recorded[name] : await recordConfiguration(envoy, config, queries, workDir, upstreams);
  if (reference === undefined || reference.failed !== undefined) continue;
  const hoped: Hoped = (i, version, answer) => {
    const wanted = reference.answers?.[i]?.[version] ?? null;
    return wanted === null || difference(wanted, answer, queries[i]!.weighted) === null;
  };
  report.add(name, reference, await recordConfiguration(ours, config, queries, workDir, upstreams, hoped));
}
report.print();
process.exit(0);
