import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FilterHeadersStatus } from '#gateway/api/http-filter.ts';
import { ResponseFlag } from '#gateway/api/response-flags.ts';
import { ManagerHarness } from '../support/manager-harness.ts';

const get = (path = '/', more = ''): string => `GET ${path} HTTP/1.1\r\nhost: a.test\r\n${more}\r\n`;

/** Headers as the terminal filter saw them, and the fields of the head. */
async function seen(json: Record<string, unknown>, request: string): Promise<Record<string, string>> {
  const t = new ManagerHarness(json);
  await t.send(request);
  const head = t.filters['end']?.decoder.requestHead;
  assert.ok(head, t.text);
  const fields: Record<string, string> = { ':path': head.path, ':authority': head.authority, ':scheme': head.scheme };
  const { entries } = head.headers;
  for (let i = 0; i < entries.length; i += 2) fields[entries[i]!] = entries[i + 1]!;
  return fields;
}

describe('request headers', () => {
  it('at the edge: address appended, external address told, internal headers stripped, request id made', async () => {
    const fields = await seen(
      { useRemoteAddress: true },
      get(
        '/',
        'x-forwarded-for: 1.2.3.4\r\nx-envoy-internal: true\r\nx-envoy-max-retries: 3\r\nx-envoy-original-path: /x\r\nx-request-id: mine\r\n',
      ),
    );
    assert.equal(fields['x-forwarded-for'], '1.2.3.4,10.9.8.7');
    assert.equal(fields['x-envoy-external-address'], '10.9.8.7');
    assert.equal(fields['x-forwarded-proto'], 'http');
    assert.equal(fields['x-envoy-internal'], undefined);
    assert.equal(fields['x-envoy-max-retries'], undefined);
    assert.equal(fields['x-envoy-original-path'], undefined);
    assert.match(fields['x-request-id']!, /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
    assert.equal(fields[':scheme'], 'http');
  });

  it('x-forwarded-for is one list, and names an address in its usual form', async () => {
    const lists: readonly (readonly [lines: string, list: string])[] = [
      ['x-forwarded-for: 1.2.3.4\r\nx-forwarded-for: 5.6.7.8\r\n', '1.2.3.4,5.6.7.8'],
      ['x-forwarded-for: \r\nx-forwarded-for: 1.2.3.4\r\n', '1.2.3.4'],
    ];
    for (const [lines, list] of lists) {
      assert.equal((await seen({}, get('/', lines)))['x-forwarded-for'], list);
      assert.equal((await seen({ useRemoteAddress: true }, get('/', lines)))['x-forwarded-for'], `${list},10.9.8.7`);
    }
    assert.equal(
      (await seen({ useRemoteAddress: true }, get('/', 'x-forwarded-for: \r\n')))['x-forwarded-for'],
      '10.9.8.7',
    );
    const t = new ManagerHarness({});
    await t.send(get('/', 'x-forwarded-for: 2001:DB8:0::7\r\n'));
    assert.equal(t.filters['end']!.decoder.streamInfo.downstreamRemoteAddress.host, '2001:db8::7');
  });

  it('behind a trusted proxy: what it says is kept', async () => {
    const t = new ManagerHarness({});
    await t.send(get('/', 'x-forwarded-for: 1.2.3.4\r\nx-forwarded-proto: https\r\nx-request-id: mine\r\n'));
    const head = t.filters['end']!.decoder.requestHead!;
    assert.equal(head.headers.get('x-forwarded-for'), '1.2.3.4');
    assert.equal(head.headers.get('x-request-id'), 'mine');
    assert.equal(head.scheme, 'https');
    assert.equal(t.filters['end']!.decoder.streamInfo.downstreamRemoteAddressText, '1.2.3.4:0');
  });

  it('trusted hops choose the address before the last ones', async () => {
    const fields = await seen(
      { useRemoteAddress: true, xffNumTrustedHops: 1 },
      get('/', 'x-forwarded-for: 9.9.9.9, 5.6.7.8\r\n'),
    );
    assert.equal(fields['x-envoy-external-address'], '5.6.7.8');
  });

  it('internal networks make a request internal', async () => {
    const fields = await seen(
      { useRemoteAddress: true, internalAddressConfig: { cidrRanges: [{ addressPrefix: '10.0.0.0', prefixLen: 8 }] } },
      get('/', 'x-envoy-max-retries: 3\r\n'),
    );
    assert.equal(fields['x-envoy-internal'], 'true');
    assert.equal(fields['x-envoy-max-retries'], '3');
    assert.equal(fields['x-envoy-external-address'], undefined);
  });

  it('hop-by-hop headers do not go on; TE keeps trailers only', async () => {
    const fields = await seen(
      {},
      get('/', 'keep-alive: 1\r\nproxy-connection: x\r\nte: gzip, trailers\r\nconnection: keep-alive\r\n'),
    );
    for (const name of ['keep-alive', 'proxy-connection', 'connection']) assert.equal(fields[name], undefined);
    assert.equal(fields['te'], 'trailers');
  });

  const paths: readonly (readonly [path: string, becomes: string])[] = [
    ['/a/../b', '/b'],
    ['/a//b', '/a/b'],
    ['/%41%7e', '/A~'],
    ['/a/%2e%2e/c?x=/../', '/c?x=/../'],
    ['/a/..;x/b', '/b'],
    ['//', '//'],
  ];
  for (const [path, becomes] of paths) {
    it(`the path ${path} becomes ${becomes}`, async () => {
      const fields = await seen({ normalizePath: true, mergeSlashes: true }, get(path));
      assert.equal(fields[':path'], becomes);
    });
  }

  it('an escaped slash is kept, refused or redirected as configured', async () => {
    assert.equal((await seen({}, get('/a%2Fb')))[':path'], '/a%2Fb');
    const refused = new ManagerHarness({ pathWithEscapedSlashesAction: 'REJECT_REQUEST' });
    await refused.send(get('/a%2Fb'));
    assert.match(refused.text, /^HTTP\/1\.1 400 [\s\S]*connection: close/);
    assert.equal(refused.connection.state, 'closed');
    const sent = new ManagerHarness({ pathWithEscapedSlashesAction: 'UNESCAPE_AND_REDIRECT' });
    await sent.send(get('/a%2Fb?q'));
    assert.match(sent.text, /^HTTP\/1\.1 307 [\s\S]*location: \/a\/b\?q\r\n/);
  });

  it('the port and the trailing dot of the host go when asked', async () => {
    const any = { stripAnyHostPort: true, stripTrailingHostDot: true };
    assert.equal((await seen(any, 'GET / HTTP/1.1\r\nhost: a.test.:99\r\n\r\n'))[':authority'], 'a.test');
    const matching = { stripMatchingHostPort: true };
    assert.equal((await seen(matching, 'GET / HTTP/1.1\r\nhost: a.test:80\r\n\r\n'))[':authority'], 'a.test');
    assert.equal((await seen(matching, 'GET / HTTP/1.1\r\nhost: a.test:81\r\n\r\n'))[':authority'], 'a.test:81');
  });
});

describe('answers', () => {
  it('carry Date and Server, overwritten, appended or passed as configured', async () => {
    const modes = { OVERWRITE: 'envoy', APPEND_IF_ABSENT: 'nginx', PASS_THROUGH: 'nginx' };
    for (const [serverHeaderTransformation, server] of Object.entries(modes)) {
      const t = new ManagerHarness({ serverHeaderTransformation });
      await t.send(get());
      t.respond('x', 'server', 'nginx', 'connection', 'close', 'keep-alive', '5');
      assert.match(t.text, new RegExp(`server: ${server}\\r\\n`));
      assert.match(t.text, /date: Tue, 14 Nov 2023 /);
      assert.doesNotMatch(t.text, /keep-alive|connection/);
    }
  });

  it('a filter that answers 400 ends the connection, as Envoy does', async () => {
    const t = new ManagerHarness({});
    await t.send(get());
    t.filters['end']!.decoder.sendLocalReply(400, 'no', 'refused_by_filter');
    assert.match(t.text, /^HTTP\/1\.1 400 [\s\S]*connection: close/);
    const goes = new ManagerHarness({});
    await goes.send(get());
    goes.filters['end']!.decoder.sendLocalReply(403, 'no', 'refused_by_filter');
    assert.doesNotMatch(goes.text, /connection: close/);
  });

  it('a malformed request is 400 with a body, flagged DPE, and the connection closes', async () => {
    const t = new ManagerHarness({});
    await t.send('G@T / HTTP/1.1\r\n\r\n');
    assert.match(t.text, /^HTTP\/1\.1 400 [\s\S]*connection: close\r\n[\s\S]*Bad Request$/);
    assert.equal(t.connection.closed, 'flush_and_delay');
    assert.ok(t.server.logged[0]!.streamInfo.hasFlag(ResponseFlag.DownstreamProtocolError));
    assert.equal(t.server.stat('http.test.downstream_cx_protocol_error'), 1);
  });

  it('local_reply_config changes status, body, headers and format', async () => {
    const t = new ManagerHarness({
      localReplyConfig: {
        mappers: [
          {
            filter: { statusCodeFilter: { comparison: { op: 'EQ', value: { defaultValue: 400, runtimeKey: 'x' } } } },
            statusCode: 418,
            body: { inlineString: 'mapped' },
            headersToAdd: [{ header: { key: 'x-mapped', value: 'yes' } }],
          },
        ],
        bodyFormat: { jsonFormat: { code: '%RESPONSE_CODE%', body: '%LOCAL_REPLY_BODY%' } },
      },
    });
    await t.send(get('/a#b'));
    assert.match(
      t.text,
      /^HTTP\/1\.1 418 [\s\S]*x-mapped: yes[\s\S]*application\/json[\s\S]*\{"body":"mapped","code":418\}/,
    );
  });

  it('a gRPC request is answered in gRPC', async () => {
    const t = new ManagerHarness({});
    t.onStream = ({ end }) => {
      end!.onRequest = () => {
        end!.decoder.sendLocalReply(503, 'no healthy 100%', 'no_healthy_upstream');
        return FilterHeadersStatus.StopIteration;
      };
    };
    await t.send('POST /s/M HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc\r\ncontent-length: 0\r\n\r\n');
    assert.match(t.text, /^HTTP\/1\.1 200 /);
    assert.match(t.text, /grpc-status: 14\r\n/);
    assert.match(t.text, /grpc-message: no healthy 100%25\r\n/);
  });

  it('an upgrade that nobody allows is 403', async () => {
    const t = new ManagerHarness({});
    await t.send(get('/', 'upgrade: websocket\r\nconnection: upgrade\r\n'));
    assert.match(t.text, /^HTTP\/1\.1 403 /);
    assert.equal(t.server.stat('http.test.downstream_rq_ws_on_non_ws_route'), 1);
  });

  it('an allowed upgrade keeps its headers and counts', async () => {
    const t = new ManagerHarness({ upgradeConfigs: [{ upgradeType: 'websocket' }] });
    await t.send(get('/', 'upgrade: websocket\r\nconnection: upgrade\r\n'));
    const head = t.filters['end']!.decoder.requestHead!;
    assert.equal(head.headers.get('upgrade'), 'websocket');
    assert.equal(t.server.stat('http.test.downstream_cx_upgrades_active'), 1);
    t.connection.peerCloses();
    assert.equal(t.server.stat('http.test.downstream_cx_upgrades_active'), 0);
  });

  it('expect: 100-continue is answered here and not passed on', async () => {
    const t = new ManagerHarness({});
    await t.send('POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n');
    assert.match(t.text, /^HTTP\/1\.1 100 Continue\r\n\r\n$/);
    assert.equal(t.filters['end']!.decoder.requestHead!.headers.get('expect'), null);
  });
});

describe('timeouts', () => {
  it('an idle stream is answered 408 while the request lasts and 504 after', async () => {
    for (const [request, status] of [
      [get(), 504],
      ['POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n', 408],
    ] as const) {
      const t = new ManagerHarness({ streamIdleTimeout: '2s' });
      await t.send(request);
      t.advance(1990);
      assert.equal(t.text, '');
      t.advance(30);
      assert.match(t.text, new RegExp(`^HTTP/1.1 ${status} `));
      assert.ok(t.server.logged[0]!.streamInfo.hasFlag(ResponseFlag.StreamIdleTimeout));
      assert.equal(t.server.stat('http.test.downstream_rq_idle_timeout'), 1);
    }
  });

  it('activity puts the idle timeout off', async () => {
    const t = new ManagerHarness({ streamIdleTimeout: '2s' });
    await t.send('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n');
    t.advance(1500);
    await t.send('abc');
    t.advance(1500);
    assert.equal(t.text, '');
    t.advance(600);
    assert.match(t.text, /^HTTP\/1\.1 408 /);
  });

  it('a head that does not end, a request that does not end, and a stream that lasts too long', async () => {
    const head = new ManagerHarness({ requestHeadersTimeout: '1s' });
    await head.send('GET / HT');
    head.advance(1020);
    assert.match(head.text, /^HTTP\/1\.1 408 [\s\S]*request header timeout/);
    const request = new ManagerHarness({ requestTimeout: '1s' });
    await request.send('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nabc');
    request.advance(1020);
    assert.match(request.text, /^HTTP\/1\.1 408 [\s\S]*request timeout/);
    const long = new ManagerHarness({ commonHttpProtocolOptions: { maxStreamDuration: '3s' } });
    await long.send(get());
    long.advance(3020);
    assert.match(long.text, /^HTTP\/1\.1 504 [\s\S]*downstream duration timeout/);
  });

  it('an idle connection closes after the drain time', async () => {
    const t = new ManagerHarness({ commonHttpProtocolOptions: { idleTimeout: '10s' }, drainTimeout: '1s' });
    await t.send(get());
    t.advance(11_000); // a stream is active: not idle
    assert.equal(t.connection.state, 'open');
    t.respond('x');
    t.advance(10_100);
    assert.equal(t.server.stat('http.test.downstream_cx_idle_timeout'), 1);
    t.advance(1100);
    assert.equal(t.connection.state, 'closed');
  });
});

describe('connections', () => {
  it('keep going between requests and say when the last one comes', async () => {
    const t = new ManagerHarness({ commonHttpProtocolOptions: { maxRequestsPerConnection: 2 } });
    await t.send(get());
    t.respond('1');
    await t.send(get());
    t.respond('2');
    const [first, second] = t.text.split('HTTP/1.1 200 OK').slice(1);
    assert.doesNotMatch(first!, /connection/);
    assert.match(second!, /connection: close/);
    assert.equal(t.connection.closed, 'flush');
    assert.equal(t.server.stat('http.test.downstream_cx_max_requests_reached'), 1);
    assert.equal(t.server.stat('http.test.downstream_rq_2xx'), 2);
    assert.equal(t.server.stat('listener.x.http.test.downstream_rq_2xx'), 2);
    assert.equal(t.server.stat('http.test.downstream_rq_active'), 0);
    assert.equal(t.server.stat('http.test.downstream_cx_active'), 0);
  });

  it('a draining server closes after the response', async () => {
    const t = new ManagerHarness({}, { server: { drain: { drainClose: () => true, draining: true } } });
    await t.send(get());
    t.respond('x');
    assert.match(t.text, /connection: close/);
    assert.equal(t.server.stat('http.test.downstream_cx_drain_close'), 1);
    assert.equal(t.connection.state, 'closed');
  });

  it('a client that leaves ends its request with DC', async () => {
    const t = new ManagerHarness({});
    await t.send(get());
    t.connection.peerCloses();
    const { streamInfo } = t.server.logged[0]!;
    assert.ok(streamInfo.hasFlag(ResponseFlag.DownstreamConnectionTermination));
    assert.equal(streamInfo.responseCodeDetails, 'downstream_remote_disconnect');
    assert.equal(streamInfo.responseCode, 0);
    assert.ok(t.log.includes('end gone'));
    assert.equal(t.server.stat('http.test.downstream_cx_destroy_remote_active_rq'), 1);
  });

  it('an HTTP/2 preface is recognised, also in pieces', async () => {
    const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
    const t = new ManagerHarness({});
    await t.send(preface.slice(0, 3), preface.slice(3), '\0\0\0\x04\0\0\0\0\0');
    assert.equal(t.server.stat('http.test.downstream_cx_http2_total'), 1);
  });
});
