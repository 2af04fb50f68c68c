import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createCertificate } from '../../support/certificates.ts';
import { findPeer } from '../../support/peers.ts';
import { load } from '../load.ts';
import { LoadProcess } from '../load-process.ts';
import { PinnedProcess } from '../pinned-process.ts';
import { cpuMicros } from '../process-cost.ts';
import { startUpstream } from '../upstream.ts';
import { type ConnectionWindow, problemOf, type WindowResult } from './load-window.ts';
import { type TlsCase, tlsCases } from './tls-cases.ts';
import { type TlsProxy, tlsProxies } from './tls-proxies.ts';
import { printTlsTable, type TlsFigures } from './tls-table.ts';

const proxyCore = 0;
const loadCore = 1;

class ConnectionLoader extends LoadProcess<ConnectionWindow, WindowResult> {}

interface RunningProxy {
  readonly proxy: TlsProxy;
  readonly child: PinnedProcess;
}

/** One figure, or why there is none. */
type Measured = { readonly micros: number; readonly count: number } | { readonly problem: string };

/**
 * Measures CPU per new TLS connection with one request, and per request on kept connections. All proxies run at once on one
 * core and are loaded in turn, a short window each, round after round: what else the machine does falls on all of them.
 */
export async function runTlsSuite(args: readonly string[]): Promise<void> {
  const { values: options } = parseArgs({
    args: [...args],
    options: {
      cases: { type: 'string', default: tlsCases.map(({ name }) => name).join(',') },
      proxies: { type: 'string', default: '' },
      seconds: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '5' },
      warmup: { type: 'string', default: '10000' },
      connections: { type: 'string', default: '16' },
      port: { type: 'string', default: '9400' },
    },
  });
  const nginx = findPeer('nginx');
  if (nginx === null || findPeer('wrk') === null || findPeer('h2load') === null) {
    console.error('nginx, wrk and h2load are needed (Debian packages nginx, wrk, nghttp2-client)');
    process.exit(2);
  }
  const basePort = Number(options.port);
  const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-tls-'));
  chmodSync(dir, 0o755); // nginx's worker runs as another user
  for (const key of ['ecdsa', 'rsa'] as const) await writeCertificate(dir, key);
  const upstream = startUpstream(nginx, dir, { http1: basePort + 50, http2: basePort + 51 }, loadCore);
  const loader = new ConnectionLoader('test/bench/tls/connection-load.ts', loadCore);
  const running: RunningProxy[] = [];
  const window = { seconds: Number(options.seconds), connections: Number(options.connections) };
  try {
    const wanted = options.proxies.split(',').filter((name) => name !== '');
    for (const proxy of tlsProxies(dir, basePort + 50, basePort)) {
      if (wanted.length > 0 && !wanted.includes(proxy.name)) continue;
      try {
        running.push(await start(proxy, dir, loader, Number(options.warmup)));
      } catch (error) {
        console.error((error as Error).message);
      }
    }
    const figures: TlsFigures[] = running.map(({ proxy }) => ({ name: proxy.name, cases: new Map() }));
    for (const name of options.cases.split(',')) {
      const tlsCase = tlsCases.find((one) => one.name === name);
      if (tlsCase === undefined) throw new Error(`no case ${name}`);
      await measureCase(tlsCase, running, figures, loader, window, Number(options.rounds));
    }
    console.log(`\n${new Date().toISOString().slice(0, 10)}, ${cpus()[0]?.model}, ${cpus().length} cores`);
    printTlsTable(figures, tlsCases);
  } finally {
    loader.stop();
    upstream.kill('SIGTERM');
    for (const { child } of running) await child.stop();
    await delay(200);
    rmSync(dir, { recursive: true, force: true });
  }
}

async function writeCertificate(dir: string, key: 'ecdsa' | 'rsa'): Promise<void> {
  const { certificate, privateKey } = await createCertificate({
    name: 'localhost',
    sans: ['dns:localhost', 'ip:127.0.0.1'],
    key,
  });
  writeFileSync(join(dir, `${key}.pem`), certificate);
  writeFileSync(join(dir, `${key}.key`), privateKey, { mode: 0o600 });
  writeFileSync(join(dir, `both.pem.${key}`), certificate + privateKey, { mode: 0o600 }); // haproxy
}

async function start(proxy: TlsProxy, dir: string, loader: ConnectionLoader, warmup: number): Promise<RunningProxy> {
  const log = join(dir, `${proxy.name}.log`);
  const child = new PinnedProcess({ core: proxyCore, command: proxy.command, directory: dir, log });
  const running = { proxy, child };
  const first: ConnectionWindow = { port: proxy.port, seconds: 0.05, connections: 1, key: 'ecdsa', resume: false };
  for (let i = 0; i < 100 && !child.ended; i++) {
    if ((await loader.run(first)).answered > 0) {
      await warmUp(proxy, loader, warmup);
      return running;
    }
    await delay(100);
  }
  await child.stop();
  throw new Error(`${proxy.name} does not answer: ${child.lastWords}`);
}

/** So many connections: compilers count calls, not seconds, and a slow machine makes fewer in a second. */
async function warmUp(proxy: TlsProxy, loader: ConnectionLoader, connections: number): Promise<void> {
  for (let done = 0, round = 0; done < connections; round++) {
    const window: ConnectionWindow = {
      port: proxy.port,
      seconds: 2,
      connections: 16,
      key: round % 4 === 1 ? 'rsa' : 'ecdsa',
      resume: round % 4 === 3,
    };
    const { answered, problem } = await loader.run(window);
    if (answered === 0) throw new Error(`${proxy.name} does not answer while it warms up: ${problem}`);
    done += answered;
  }
}

async function measureCase(
  tlsCase: TlsCase,
  running: readonly RunningProxy[],
  figures: readonly TlsFigures[],
  loader: ConnectionLoader,
  window: { readonly seconds: number; readonly connections: number },
  rounds: number,
): Promise<void> {
  for (const { cases } of figures) cases.set(tlsCase.name, { micros: [], count: 0, problem: null });
  for (let round = 1; round <= rounds; round++) {
    const shown: string[] = [];
    for (const [i, { proxy, child }] of running.entries()) {
      const figure = figures[i]!.cases.get(tlsCase.name)!;
      const measured = await measureWindow(tlsCase, proxy, child.pid, loader, window);
      if ('problem' in measured) figure.problem = measured.problem;
      else {
        figure.micros.push(measured.micros);
        figure.count += measured.count;
      }
      shown.push(`${proxy.name} ${'problem' in measured ? measured.problem : measured.micros.toFixed(0)}`);
    }
    console.error(`${tlsCase.name} ${round}: ${shown.join(', ')}`);
  }
}

async function measureWindow(
  tlsCase: TlsCase,
  proxy: TlsProxy,
  pid: number,
  loader: ConnectionLoader,
  { seconds, connections }: { readonly seconds: number; readonly connections: number },
): Promise<Measured> {
  if (tlsCase.kind === 'new') {
    const window: ConnectionWindow = {
      port: proxy.port,
      seconds,
      connections,
      key: tlsCase.key,
      resume: tlsCase.resume,
    };
    const before = cpuMicros(pid);
    const result = await loader.run(window);
    const used = cpuMicros(pid) - before;
    const problem = problemOf(window, result);
    return problem === null ? { micros: used / result.answered, count: result.answered } : { problem };
  }
  const url = `https://127.0.0.1:${proxy.port}/small`;
  const before = cpuMicros(pid);
  const result = await load(tlsCase, url, Math.ceil(seconds), loadCore);
  const used = cpuMicros(pid) - before;
  if (result.problem !== null) return { problem: result.problem };
  return { micros: used / result.requests, count: result.requests };
}
