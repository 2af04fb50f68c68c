import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import type { Answer, Query, QueryAnswers, Recording } from './answer.ts';
import { overHttp1, overHttp2 } from './clients.ts';
import type { EchoUpstreams } from './echo-upstream.ts';

/** A proxy's command line; `{config}` stands for the configuration's path. */
export type ProxyCommand = readonly string[];

const adminPort = 19901;

/** Every upstream host and port that a bootstrap's clusters name. */
export function upstreamEndpoints(node: unknown): [string, number][] {
  if (Array.isArray(node)) return node.flatMap(upstreamEndpoints);
  if (typeof node !== 'object' || node === null) return [];
  const fields = node as Record<string, unknown>;
  const found = Object.values(fields).flatMap(upstreamEndpoints);
  const address = (fields['socketAddress'] ?? fields['socket_address']) as Record<string, unknown> | undefined;
  const port = Number(address?.['portValue'] ?? address?.['port_value'] ?? 0);
  if (port >= 21_000 && port < 30_000 && address?.['protocol'] !== 'UDP')
    found.push([String(address?.['address']), port]);
  return found;
}

function adminReady(): Promise<boolean> {
  return new Promise((resolve) => {
    const request = http.get({ host: '127.0.0.1', port: adminPort, path: '/ready', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.setTimeout(1000, () => request.destroy());
    request.on('error', () => resolve(false));
    request.on('close', () => resolve(false));
  });
}

async function startUp(child: ChildProcess): Promise<'ready' | 'exited' | 'not ready'> {
  for (let i = 0; i < 100; i++) {
    if (child.exitCode !== null || child.signalCode !== null) return 'exited';
    if (await adminReady()) return 'ready';
    await delay(50);
  }
  return 'not ready';
}

/** Whether an answer to query number `i` is the one that is hoped for. */
export type Hoped = (i: number, version: 'h1' | 'h2', answer: Answer) => boolean;

/** The rarest answer that was recorded has one chance in ten: that none of so many is it happens once in a billion runs. */
const chances = 200;

/** Whether something is left to chance: weighted clusters, a cluster with several endpoints, faults. */
function hasChance(resources: Record<string, unknown> | undefined): boolean {
  if (/"weightedClusters"|v3\.HTTPFault"/.test(JSON.stringify(resources))) return true;
  const clusters = (resources?.['clusters'] ?? []) as unknown[];
  return clusters.some((cluster) => upstreamEndpoints(cluster).length > 1);
}

/**
 * Starts `proxy` with one configuration in `workDir` (where `certs/` is), sends the queries over HTTP/1.1 and HTTP/2, and
 * stops it. Where something is left to chance, a query is sent again, up to `chances` times, until the answer is the `hoped` one. Never throws for what the proxy does: that is in the recording.
 */
export async function recordConfiguration(
  proxy: ProxyCommand,
  configPath: string,
  queries: readonly Query[],
  workDir: string,
  upstreams: EchoUpstreams,
  hoped: Hoped = () => true,
): Promise<Recording> {
  const config = JSON.parse(readFileSync(configPath, 'utf8')) as Record<string, Record<string, unknown>>;
  const resources = config['staticResources'] ?? config['static_resources'];
  for (const [host, port] of upstreamEndpoints(resources?.['clusters'] ?? [])) await upstreams.serve(host, port);
  const logPath = join(tmpdir(), `sluice-conformance-${process.pid}.log`);
  const log = openSync(logPath, 'w');
  const [command, ...args] = proxy.map((word) => word.replace('{config}', configPath));
  const child = spawn(command!, args, { cwd: workDir, stdio: ['ignore', log, log] });
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  try {
    const state = await startUp(child);
    if (state !== 'ready') return { failed: state, log: readFileSync(logPath, 'utf8').slice(-600) };
    const answers: QueryAnswers[] = [];
    const times = hasChance(resources) ? chances : 1;
    const ask = async (i: number, version: 'h1' | 'h2', send: (q: Query) => Promise<Answer>): Promise<Answer> => {
      let answer = await send(queries[i]!);
      for (let n = 1; n < times && !hoped(i, version, answer); n++) answer = await send(queries[i]!);
      return answer;
    };
    for (const [i, q] of queries.entries()) {
      answers.push({ q, h1: await ask(i, 'h1', overHttp1), h2: await ask(i, 'h2', overHttp2) });
    }
    return { answers, died: child.exitCode !== null };
  } finally {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await exited;
    closeSync(log);
    rmSync(logPath, { force: true });
  }
}
