import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import http from 'node:http';
import { describe } from 'node:test';
import type { JsonValue } from '@bufbuild/protobuf';
import { besideEnvoy, logLines } from '#test/support/beside-envoy.ts';
import { allTo, httpListener, staticCluster, staticResources } from '#test/support/bootstrap.ts';
import type { GatewayProcess } from '#test/support/gateway-process.ts';
import { peerTest } from '#test/support/peers.ts';
import {
  assign,
  bucketAction,
  type QuotaServer,
  type ReportedUsage,
  startQuotaServer,
} from '#test/support/quota-server.ts';

const types = 'type.googleapis.com/envoy.extensions.';
const typed = (name: string, fields: string): string => `{ "@type": ${types}${name}, ${fields} }`;
const settings = (fields: string): string =>
  `action: { name: s, typed_config: ${typed('filters.http.rate_limit_quota.v3.RateLimitQuotaBucketSettings', `reporting_interval: 2s, ${fields}`)} }`;
const id = (fields: string): string => `bucket_id_builder: { bucket_id_builder: { ${fields} } }`;
const named = (name: string, fields = ''): string => settings(`${id(`b: { string_value: ${name} }`)}, ${fields}`);
const header = (name: string): string =>
  `{ name: i, typed_config: { "@type": type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput, header_name: "${name}" } }`;
const noAssignment = (strategy: string): string => `no_assignment_behavior: { fallback_rate_limit: { ${strategy} } }`;
const deny = noAssignment('blanket_rule: DENY_ALL');
const body = Buffer.from('nothing left').toString('base64');

const byPath: { readonly [path: string]: string } = {
  '/plain': named('plain'),
  '/allowed': named('allowed', noAssignment('blanket_rule: ALLOW_ALL')),
  '/denied': named('denied', deny),
  '/body': named(
    'body',
    `${deny}, deny_response_settings: { http_status: { code: 503 }, http_body: { value: "${body}" } }`,
  ),
  '/grpc': named('grpc', `${deny}, deny_response_settings: { grpc_status: { code: 8, message: "too % many" } }`),
  '/headers': named(
    'headers',
    `${deny}, deny_response_settings: { http_body: { value: "${body}" }, response_headers_to_add: [ { header: { key: content-type, value: application/json } }, { header: { key: X-A, value: "%REQ(x)% 100%" } }, { header: { key: x-a, value: b } }, { header: { key: x-empty, value: "" } } ] }`,
  ),
  '/custom': settings(id(`b: { string_value: custom }, env: { custom_value: ${header('x-env')} }`)),
  '/tokens': named('tokens'),
  '/abandoned': named('abandoned'),
  '/ending': named('ending'),
  '/falling': named(
    'falling',
    'expired_assignment_behavior: { expired_assignment_behavior_timeout: 2s, fallback_rate_limit: { blanket_rule: DENY_ALL } }',
  ),
  '/probe': named('probe'),
};
const exact = Object.entries(byPath).map(([path, onMatch]) => `"${path}": { ${onMatch} }`);
const condition = (prefix: string, onMatch: string): string =>
  `{ predicate: { single_predicate: { input: ${header(':path')}, value_match: { prefix: ${prefix} } } }, on_match: { ${onMatch} } }`;
const trees: { readonly [domain: string]: string } = {
  map: `matcher_tree: { input: ${header(':path')}, exact_match_map: { map: { ${exact.join(', ')} } } }`,
  list: `matcher_list: { matchers: [ ${condition('/a', named('a'))}, ${condition('/', `matcher: { matcher_list: { matchers: [ ${condition('/b', named('nested', deny))} ] } }`)} ] }, on_no_match: { ${named('rest')} }`,
  preview: `matcher_list: { matchers: [ ${condition('/', `keep_matching: true, ${named('first')}`)}, ${condition('/', `keep_matching: true, ${named('second')}`)}, ${condition('/real', named('real'))} ] }, on_no_match: { ${named('rest')} }`,
  nested: `matcher_list: { matchers: [ ${condition('/', `keep_matching: true, matcher: { on_no_match: { ${named('inner')} } }`)} ] }, on_no_match: { keep_matching: true, ${named('never')} }`,
  prefix: `matcher_tree: { input: ${header(':path')}, prefix_match_map: { map: { "/": { ${named('short')} }, "/a": { keep_matching: true, ${named('long')} } } } }`,
  nothing: '',
};

function listener(name: string): string {
  const fields = `domain: ${name}, rlqs_server: { envoy_grpc: { cluster_name: quota } }, bucket_matchers: { ${trees[name]} }`;
  const filter = `{ name: q, typed_config: ${typed('filters.http.rate_limit_quota.v3.RateLimitQuotaFilterConfig', fields)} }`;
  const metadata = (which: string): string =>
    `%DYNAMIC_METADATA(envoy.extensions.http_filters.rate_limit_quota.${which})%`;
  const format = `%REQ(:path)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% ${metadata('bucket')} ${metadata('preview_bucket')} %GRPC_STATUS%\\n`;
  const log = `{ name: l, typed_config: ${typed('access_loggers.file.v3.FileAccessLog', `path: "{dir}/${name}", log_format: { text_format_source: { inline_string: "${format}" } }`)} }`;
  return httpListener({ name, virtualHosts: allTo('up'), filters: [filter], manager: [`access_log: [ ${log} ]`] });
}

interface Answer {
  readonly status: number;
  readonly headers: { readonly [name: string]: unknown };
  readonly body: string;
}

const unstable = ['date', 'server', 'x-envoy-upstream-service-time', 'connection', 'keep-alive'];

function get(port: number, path: string, headers: http.OutgoingHttpHeaders = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      const stable = Object.entries(response.headers)
        .filter(([name]) => !unstable.includes(name))
        .sort(([a], [b]) => (a < b ? -1 : 1));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: Object.fromEntries(stable), body: text }),
      );
    });
    request.on('error', reject);
    request.end();
  });
}

type Seen = { [what: string]: unknown };

/** Drives one gateway through everything; the service it asks is played here. */
class Drive {
  readonly seen: Seen = {};
  readonly #gateway: GatewayProcess;
  readonly #quota: QuotaServer;
  /** Buckets whose first report was shown. */
  readonly #met = new Set<string>();
  #probeDenies = false;
  #step = 0;

  constructor(gateway: GatewayProcess, quota: QuotaServer) {
    this.#gateway = gateway;
    this.#quota = quota;
  }

  /**
   * One request; `made` are the buckets it makes: their first reports are waited for. What is reported meanwhile because it is
   * time again is no news.
   */
  async ask(domain: string, path: string, made: readonly string[] = [], headers = {}): Promise<void> {
    const before = this.#quota.usages.length;
    const answer = await get(this.#gateway.port(domain), path, headers);
    const news: string[] = [];
    if (made.length > 0) {
      const isNew = (usage: ReportedUsage): boolean => !this.#met.has(bucketText(usage));
      await this.#quota.until(
        (usage) => usage.domain === domain && made.includes(usage.bucket['b'] ?? '') && isNew(usage),
        made.length,
      );
      for (const usage of this.#quota.usages.slice(before)) {
        if (isNew(usage)) news.push(shown(usage));
        this.#met.add(bucketText(usage));
      }
    }
    this.seen[`${this.#step++} ${domain} ${path} ${JSON.stringify(headers)}`] = { answer, news };
  }

  /** The service sends actions in the domain `map`; when this resolves they are in force. */
  async serve(...actions: readonly JsonValue[]): Promise<void> {
    this.#probeDenies = !this.#probeDenies;
    const rule = this.#probeDenies ? 'DENY_ALL' : 'ALLOW_ALL';
    this.#quota.send('map', ...actions, assign({ b: 'probe' }, { blanket_rule: rule }, '1000s'));
    await this.answers('/probe', [this.#probeDenies ? 429 : 200]);
  }

  /** Asks until the answers' statuses have been these, one after the other. */
  async answers(path: string, statuses: readonly number[]): Promise<void> {
    const met: number[] = [];
    for (let i = 0; i < 400 && met.length < statuses.length; i++) {
      const { status } = await get(this.#gateway.port('map'), path);
      if (status === statuses[met.length]) met.push(status);
      else if (met.length > 0 && status !== met.at(-1)) break;
      if (met.length < statuses.length) await new Promise((done) => setTimeout(done, 25));
    }
    assert.deepEqual(met, statuses, path);
  }
}

function bucketText({ domain, bucket }: ReportedUsage): string {
  return `${domain} ${JSON.stringify(bucket)}`;
}

function shown(usage: ReportedUsage): string {
  return `${bucketText(usage)} +${usage.allowed} -${usage.denied}`;
}

/** Buckets whose requests depend on time. */
const untallied = new Set(['probe', 'ending', 'falling']);

/** All that was reported of each bucket together. */
function totals({ usages }: QuotaServer): string[] {
  const sums = new Map<string, [number, number]>();
  for (const usage of usages) {
    const { bucket, allowed, denied } = usage;
    if (untallied.has(bucket['b'] ?? '')) continue;
    const key = bucketText(usage);
    const [a, d] = sums.get(key) ?? [0, 0];
    sums.set(key, [a + allowed, d + denied]);
  }
  return [...sums].map(([key, [a, d]]) => `${key} +${a} -${d}`).sort();
}

const tokens = (max: number): JsonValue => ({
  token_bucket: { max_tokens: max, tokens_per_fill: 1, fill_interval: '600s' },
});
const rule = (name: string): JsonValue => ({ blanket_rule: name });
const grpc = { 'content-type': 'application/grpc' };

async function drive(gateway: GatewayProcess, quota: QuotaServer): Promise<Seen> {
  const run = new Drive(gateway, quota);
  await run.ask('map', '/unmatched');
  await run.ask('nothing', '/');
  await run.ask('map', '/probe', ['probe']);
  for (const name of ['plain', 'allowed', 'denied', 'body', 'grpc', 'headers', 'tokens', 'abandoned'])
    await run.ask('map', `/${name}`, [name]);
  for (const path of ['/plain', '/allowed', '/denied', '/tokens']) await run.ask('map', path);
  for (const path of ['/denied', '/body', '/grpc', '/headers']) await run.ask('map', path, [], grpc);
  await run.ask('map', '/custom');
  await run.ask('map', '/custom', ['custom'], { 'x-env': '' });
  await run.ask('map', '/custom', ['custom'], { 'x-env': 'e' });
  await run.ask('map', '/custom', [], { 'x-env': 'e' });

  await run.serve(assign({ b: 'plain' }, rule('DENY_ALL'), '60s'), assign({ b: 'denied' }, rule('ALLOW_ALL'), '60s'));
  for (const path of ['/plain', '/denied', '/allowed']) await run.ask('map', path);
  await run.serve(assign({ b: 'custom', env: 'e' }, rule('DENY_ALL'), '60s'));
  await run.ask('map', '/custom', [], { 'x-env': 'e' });
  await run.ask('map', '/custom', [], { 'x-env': '' });

  await run.serve(assign({ b: 'tokens' }, tokens(2), '60s'));
  for (let i = 0; i < 3; i++) await run.ask('map', '/tokens');
  await run.serve(assign({ b: 'tokens' }, tokens(2), '60s'));
  await run.ask('map', '/tokens');
  await run.serve(assign({ b: 'tokens' }, tokens(3), '60s'));
  for (let i = 0; i < 4; i++) await run.ask('map', '/tokens');
  await run.serve(assign({ b: 'tokens' }, rule('ALLOW_ALL'), '60s'));
  await run.ask('map', '/tokens');

  await run.serve(assign({ b: 'abandoned' }, rule('DENY_ALL'), '60s'));
  await run.ask('map', '/abandoned');
  const unknown = [assign({ b: 'nobody' }, rule('DENY_ALL'), '60s'), bucketAction({}, { abandon_action: {} })];
  await run.serve(...unknown, bucketAction({ b: 'abandoned' }, { abandon_action: {} }));
  const before = quota.usages.at(-1)!.message;
  await get(gateway.port('map'), '/abandoned');
  await quota.until(({ bucket, message }) => bucket['b'] === 'abandoned' && message > before);

  const ttl = '2s';
  await run.ask('map', '/ending', ['ending']);
  await run.ask('map', '/falling', ['falling']);
  await run.serve(assign({ b: 'ending' }, rule('DENY_ALL'), ttl), assign({ b: 'falling' }, rule('ALLOW_ALL'), ttl));
  const endings = Promise.all([run.answers('/ending', [429, 200]), run.answers('/falling', [200, 429, 200])]);

  await run.ask('list', '/a', ['a']);
  await run.ask('list', '/b', ['nested']);
  await run.ask('list', '/c', ['rest']);
  await run.ask('preview', '/x', ['first', 'rest']);
  await run.ask('preview', '/real', ['real']);
  await run.ask('nested', '/x', ['inner']);
  await run.ask('prefix', '/abc', ['long', 'short']);
  await run.ask('prefix', '/b');
  await endings;

  // A message that cannot be read ends the stream; the next one begins with every bucket.
  const streams = quota.streams.length;
  quota.sendOctets('map', new Uint8Array([0xff]));
  await run.ask('map', '/plain');
  const again = await quota.until((usage) => usage.domain === 'map' && usage.stream >= streams, 13);
  assert.equal(new Set(again.slice(0, 13).map(({ message }) => message)).size, 1);
  await run.ask('map', '/plain');
  await run.ask('map', '/denied');
  // All requests are in the reports of each domain that come from now on.
  const message = quota.usages.at(-1)!.message;
  await quota.until((usage) => usage.domain === 'map' && usage.message > message, 13);
  await quota.until((usage) => usage.domain === 'prefix' && usage.message > message, 2);
  run.seen['totals'] = totals(quota);
  const map = await logLines(gateway, 'map', 30);
  run.seen['map log'] = map.filter((line) => !/^\/(probe|ending|falling)/.test(line));
  for (const [name, lines] of [
    ['list', 3],
    ['preview', 2],
    ['nested', 1],
    ['prefix', 2],
    ['nothing', 1],
  ] as const)
    run.seen[`${name} log`] = await logLines(gateway, name, lines);
  return run.seen;
}

describe('rate_limit_quota beside Envoy', () => {
  peerTest('envoy', 'reports the same, and lets the same requests through', async (envoy) => {
    const upstream = http.createServer((_request, response) => response.end('up'));
    await new Promise<void>((done) => upstream.listen(0, '127.0.0.1', done));
    const { port } = upstream.address() as { port: number };
    const quota = await startQuotaServer();
    try {
      const clusters = [staticCluster('up', [port]), staticCluster('quota', [quota.port], { http2: true })];
      const config = staticResources(Object.keys(trees).map(listener), clusters);
      const { theirs, ours } = await besideEnvoy(
        envoy,
        config,
        { args: ['--file-flush-interval-msec', '50'] },
        async (gateway) => {
          quota.restart();
          return await drive(gateway, quota);
        },
      );
      for (const what of Object.keys(theirs)) assert.deepEqual(ours[what], theirs[what], what);
    } finally {
      upstream.close();
      upstream.closeAllConnections?.();
      quota.close();
    }
  });
});
