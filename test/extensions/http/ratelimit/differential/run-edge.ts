import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JsonValue } from '@bufbuild/protobuf';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { logLines } from '#test/support/beside-envoy.ts';
import { Dice } from '#test/support/dice.ts';
import { type GatewayProcess, startGateway } from '#test/support/gateway-process.ts';
import { Http1Client } from '#test/support/http1-client.ts';
import { edgeBootstrap, fenceListener, type MadeListener, randomListener } from './random-edge.ts';
import { randomLocalListener } from './random-local.ts';
import { randomRequest } from './random-request.ts';
import { type ScriptedLimits, startScriptedLimits } from './scripted-limits.ts';

/** How much is made from one seed. */
export interface EdgeSize {
  readonly listeners: number;
  /** Requests to each listener. */
  readonly requests: number;
}

/** One request and what became of it. */
export interface Outcome {
  readonly request: string;
  readonly answer: unknown;
  readonly asked: readonly JsonValue[];
}

/** What one proxy did. */
export interface EdgeRun {
  /** By listener. */
  readonly outcomes: ReadonlyMap<string, readonly Outcome[]>;
  readonly logs: ReadonlyMap<string, readonly unknown[]>;
  readonly counters: readonly string[];
}

/** A configuration and its requests. */
export interface MadeEdge {
  readonly listeners: readonly MadeListener[];
  readonly bootstrap: (peers: { app: number; limits: number }) => string;
  readonly requests: ReadonlyMap<string, readonly { readonly text: string; readonly reportsAtEnd: boolean }[]>;
  /** Limits are of the proxies themselves: the seconds that pass show in their answers. */
  readonly local: boolean;
}

/** Makes the edge of a seed, with limits of a service or with local ones. */
export function makeEdge(seed: number, size: EdgeSize, local = false): MadeEdge {
  const dice = new Dice(createSeededRandom(seed));
  const listener = local ? randomLocalListener : randomListener;
  const listeners = Array.from({ length: size.listeners }, (_, i) => listener(dice, `l${i}`));
  const requests = new Map(
    listeners.map(({ name, routes }) => [
      name,
      Array.from({ length: size.requests }, () => {
        const route = dice.pick(routes);
        return { text: randomRequest(dice, route), reportsAtEnd: route.reportsAtEnd };
      }),
    ]),
  );
  const rest = dice.below(2 ** 31);
  return {
    listeners,
    bootstrap: (peers) => edgeBootstrap(new Dice(createSeededRandom(rest)), listeners, peers),
    requests,
    local,
  };
}

/** Runs one proxy on an edge; `envoy` undefined: the gateway. Text: it refused the configuration. */
export async function runEdge(edge: MadeEdge, envoy: string | undefined): Promise<EdgeRun | string> {
  const app = await startApp();
  const limits = await startScriptedLimits();
  let proxy: GatewayProcess | null = null;
  try {
    const config = edge.bootstrap({ app: (app.address() as AddressInfo).port, limits: limits.port });
    try {
      proxy = await startGateway(config, {
        ...(envoy === undefined ? {} : { envoy }),
        args: ['--file-flush-interval-msec', '50'],
      });
    } catch (error) {
      return (error as Error).message;
    }
    const outcomes = new Map<string, Outcome[]>();
    const logs = new Map<string, unknown[]>();
    const fence = new Http1Client(proxy.port(fenceListener));
    for (const [name, requests] of edge.requests) {
      const client = new Http1Client(proxy.port(name));
      const seen: Outcome[] = [];
      for (const { text, reportsAtEnd } of requests)
        seen.push(await ask(client, text, reportsAtEnd ? fence : null, limits, edge.local));
      client.close();
      outcomes.set(name, seen);
    }
    fence.close();
    for (const [name, requests] of edge.requests) {
      const lines = await logLines(proxy, `${name}.log`, requests.length);
      logs.set(
        name,
        lines.map((line) => JSON.parse(line)),
      );
    }
    const { text } = await proxy.admin('/stats');
    const counters = text.split('\n').filter(isCompared).sort();
    return { outcomes, logs, counters };
  } finally {
    await proxy?.stop();
    limits.close();
    app.close();
    app.closeAllConnections?.();
  }
}

async function ask(
  client: Http1Client,
  text: string,
  fence: Http1Client | null,
  limits: ScriptedLimits,
  rounded: boolean,
): Promise<Outcome> {
  let answer: unknown;
  try {
    const { status, headers, body } = await client.send(text);
    const shown = headers
      .filter(([name]) => !ignored.has(name))
      .map(([name, value]) => `${name}: ${rounded && seconds.has(name) ? roundedUp(value) : value}`);
    answer = { status, headers: shown.sort(), body };
  } catch (error) {
    answer = (error as Error).message;
  }
  // What is reported at the end of a stream goes out before what the next request asks.
  await fence?.send('GET / HTTP/1.1\r\nhost: fence\r\n\r\n');
  return { request: text, answer, asked: limits.take() };
}

const ignored = new Set(['date', 'x-envoy-upstream-service-time']);

const seconds = new Set(['retry-after', 'x-ratelimit-reset']);

/** In units that no run of this test lasts. */
function roundedUp(text: string): string {
  return /^\d+$/.test(text) ? `${Math.ceil(Number(text) / 1800)} x 1800` : text;
}

/** Of the statistics: what the filters count, and what is counted of their answers. */
function isCompared(line: string): boolean {
  return (
    /\.ratelimit\.|\.http_local_rate_limit\./.test(line) ||
    (/^cluster\.(app|other)\.(internal\.|external\.)?upstream_rq_(\d|completed)/.test(line) && !line.endsWith(': 0')) ||
    /^http\.l\d+\.downstream_rq_\dxx/.test(line)
  );
}

/** Tells what it got, and answers as its request's headers say. */
async function startApp(): Promise<Server> {
  const server = createServer((request, response) => {
    const got: string[] = [];
    for (let i = 0; i < request.rawHeaders.length; i += 2)
      got.push(`${request.rawHeaders[i]!.toLowerCase()}: ${request.rawHeaders[i + 1]}`);
    request.resume();
    request.on('end', () => {
      const cost = request.headers['x-cost'];
      if (cost !== undefined) response.setHeader('x-cost', cost);
      response.setHeader('x-up', 'yes');
      response.setHeader('content-type', 'text/of-app');
      response.statusCode = Number(request.headers['x-status'] ?? 200) || 200;
      response.end(`${request.method} ${request.url}\n${got.sort().join('\n')}`);
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return server;
}
