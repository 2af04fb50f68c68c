// Measures CPU per request, throughput, latency and memory of sluice beside whichever of Envoy, nginx and haproxy is
// installed, in one run, and prints one table with ratios to Envoy.
//
//   npm run bench -- tls [--cases new-p256,...] [--proxies ...] [--seconds 2] [--rounds 5]   new TLS connections: tls/
//   npm run bench -- ratelimit [--cases hot,100k,1m,offered-hot,offered-100k,main-job] [--services reference,sluice-bun,...]
//                    [--rate 8000] [--seconds 5] [--rounds 3]                 rate-limit services: ratelimit/
//   npm run bench -- [--cases h1,tls-h2,...] [--proxies sluice-bun,envoy,...] [--seconds 5] [--rounds 1] [--idle 1000]
//                    [--memory] [--port 9300]
//   --rounds N: every figure is the median of N, every ratio the median of the ratios within the rounds
//
// The proxy under test is pinned to core 0; the load generator (wrk, h2load) and the upstream (nginx) to core 1. A figure
// counts only if every answer was a 2xx and a probe's body has the right length. --memory adds resident memory after a
// hundred thousand and after a million requests.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { findPeer } from '../support/peers.ts';
import { writeBenchCertificate } from './bench-certificate.ts';
import { type BenchCase, benchCases } from './cases.ts';
import { idleKibPerConnection } from './idle.ts';
import { load } from './load.ts';
import { PinnedProcess } from './pinned-process.ts';
import { cpuMicros, residentKib } from './process-cost.ts';
import { type BenchProxy, benchProxies } from './proxies.ts';
import { runLimitSuite } from './ratelimit/limit-suite.ts';
import { type CaseFigures, type ProxyFigures, printTable } from './table.ts';
import { runTlsSuite } from './tls/tls-suite.ts';
import { startUpstream } from './upstream.ts';

if (process.argv[2] === 'tls') {
  await runTlsSuite(process.argv.slice(3));
  process.exit(0);
}

if (process.argv[2] === 'ratelimit') {
  await runLimitSuite(process.argv.slice(3));
  process.exit(0);
}

const proxyCore = 0;
const loadCore = 1;
const bodyOctets: Readonly<Record<string, number>> = { small: 64, '64k': 65_536, '1m': 1_048_576 };

const { values: options } = parseArgs({
  options: {
    cases: { type: 'string', default: benchCases.map((benchCase) => benchCase.name).join(',') },
    proxies: { type: 'string', default: '' },
    seconds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '1' },
    idle: { type: 'string', default: '1000' },
    memory: { type: 'boolean', default: false },
    port: { type: 'string', default: '9300' },
  },
});
const seconds = Number(options.seconds);
const basePort = Number(options.port);

function need(name: 'nginx' | 'wrk' | 'h2load'): string {
  const path = findPeer(name);
  if (path !== null) return path;
  console.error(`${name} is needed (Debian packages nginx, wrk, nghttp2-client)`);
  process.exit(2);
}
const nginx = need('nginx');
need('wrk');
need('h2load');

const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
await writeBenchCertificate(dir);
const upstreamPorts = { http1: basePort + 50, http2: basePort + 51 };
const upstream = startUpstream(nginx, dir, upstreamPorts, loadCore);
const wantedProxies = options.proxies.split(',').filter((name) => name !== '');
const proxies = benchProxies(dir, upstreamPorts, basePort).filter(
  (proxy) => wantedProxies.length === 0 || wantedProxies.includes(proxy.name),
);
const cases = options.cases.split(',').map((name) => benchCases.find((benchCase) => benchCase.name === name)!);

function urlOf(proxy: BenchProxy, benchCase: BenchCase): string {
  const port = benchCase.tls ? proxy.ports.tls : proxy.ports.plain;
  return `${benchCase.tls ? 'https' : 'http'}://127.0.0.1:${port}${benchCase.path}`;
}

/** Octets of the body that `url` answers, -1 when it does not answer 200. */
function probe(url: string): Promise<number> {
  return new Promise((resolve) => {
    const get = url.startsWith('https') ? https.get : http.get;
    const request = get(url, { agent: false, rejectUnauthorized: false }, (response) => {
      let octets = 0;
      response.on('data', (chunk: Buffer) => {
        octets += chunk.length;
      });
      response.on('end', () => resolve(response.statusCode === 200 ? octets : -1));
    });
    request.on('error', () => resolve(-1));
  });
}

async function start(proxy: BenchProxy): Promise<PinnedProcess> {
  const log = join(dir, `${proxy.name}.log`);
  const child = new PinnedProcess({ core: proxyCore, command: proxy.command, directory: dir, log });
  for (let i = 0; i < 100 && !child.ended; i++) {
    if ((await probe(`http://127.0.0.1:${proxy.ports.plain}/small`)) === 64) return child;
    await delay(100);
  }
  await child.stop();
  throw new Error(`${proxy.name} does not answer: ${child.lastWords}`);
}

async function measureCase(proxy: BenchProxy, benchCase: BenchCase, pid: number): Promise<CaseFigures> {
  const url = urlOf(proxy, benchCase);
  const octets = await probe(url);
  if (octets !== bodyOctets[benchCase.path.split('/').at(-1)!]) return { problem: `a body of ${octets} octets` };
  await load(benchCase, url, 2, loadCore);
  const before = cpuMicros(pid);
  const result = await load(benchCase, url, seconds, loadCore);
  const used = cpuMicros(pid) - before;
  if (result.problem !== null) return { problem: result.problem };
  return { ...result, cpuMicrosPerRequest: used / result.requests, problem: null };
}

/** Resident memory after a hundred thousand and after a million requests, MiB. */
async function measureMemory(proxy: BenchProxy, pid: number): Promise<[number, number]> {
  const benchCase = benchCases[0]!;
  const marks: number[] = [];
  let done = 0;
  for (const target of [100_000, 1_000_000]) {
    while (done < target) done += (await load(benchCase, urlOf(proxy, benchCase), 2, loadCore)).requests;
    marks.push(residentKib(pid) / 1024);
  }
  return [marks[0]!, marks[1]!];
}

/** Measures one case with one proxy in a process of its own. */
async function measureOnce(figures: ProxyFigures, proxy: BenchProxy, benchCase: BenchCase): Promise<void> {
  const child = await start(proxy);
  if (figures.baseMib === 0) figures.baseMib = residentKib(child.pid) / 1024;
  const figure = await measureCase(proxy, benchCase, child.pid);
  const rounds = figures.cases.get(benchCase.name);
  if (rounds === undefined) figures.cases.set(benchCase.name, [figure]);
  else rounds.push(figure);
  const shown =
    figure.problem ?? `${figure.cpuMicrosPerRequest?.toFixed(1)} us, ${figure.requestsPerSecond?.toFixed(0)}/s`;
  console.error(`${proxy.name} ${benchCase.name}: ${shown}`);
  await child.stop();
}

async function measureMemories(figures: ProxyFigures, proxy: BenchProxy): Promise<void> {
  if (Number(options.idle) > 0) {
    const idle: number[] = [];
    for (const secure of [false, true]) {
      const child = await start(proxy);
      const port = secure ? proxy.ports.tls : proxy.ports.plain;
      idle.push(await idleKibPerConnection(port, secure, Number(options.idle), child.pid));
      await child.stop();
    }
    figures.idle = [idle[0]!, idle[1]!];
  }
  if (options.memory) {
    const child = await start(proxy);
    figures.memory = await measureMemory(proxy, child.pid);
    await child.stop();
  }
}

try {
  const all: ProxyFigures[] = proxies.map(({ name }) => ({
    name,
    cases: new Map(),
    idle: null,
    memory: null,
    baseMib: 0,
  }));
  const each = async (measure: (figures: ProxyFigures, proxy: BenchProxy) => Promise<void>): Promise<void> => {
    for (const [index, proxy] of proxies.entries()) {
      try {
        await measure(all[index]!, proxy);
      } catch (error) {
        console.error(error instanceof Error ? error.message : error);
      }
    }
  };
  // The proxies take turns within each round of each case, so that what else the machine does meets them alike.
  for (const benchCase of cases) {
    for (let round = 0; round < Number(options.rounds); round++) {
      await each(async (figures, proxy) => {
        if (proxy.http2Upstream || !benchCase.needsHttp2Upstream) await measureOnce(figures, proxy, benchCase);
      });
    }
  }
  await each(measureMemories);
  const rounds = Number(options.rounds) === 1 ? '' : `, median of ${options.rounds} rounds`;
  console.log(`\n${new Date().toISOString().slice(0, 10)}, ${cpus()[0]?.model}, ${cpus().length} cores${rounds}`);
  printTable(all, cases);
  const envoy = findPeer('envoy');
  if (envoy !== null) console.log(execFileSync(envoy, ['--version'], { encoding: 'utf8' }).trim());
} finally {
  upstream.kill('SIGTERM');
  rmSync(dir, { recursive: true, force: true });
}
process.exit(0);
