import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { describe, it } from 'node:test';
import { FilterDataStatus, FilterHeadersStatus, FilterTrailersStatus } from '#gateway/api/http-filter.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { ManagerHarness } from '../support/manager-harness.ts';

const get = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n';
const post = (body: string): string => `POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n\r\n${body}`;

describe('filter chain', () => {
  it('requests go forward, responses backward, and every filter is let go once', async () => {
    const t = new ManagerHarness({}, { filters: ['a', 'b'] });
    await t.send(get);
    t.respond('hi');
    assert.deepEqual(t.log, [
      'a head!',
      'b head!',
      'end head!',
      'b <head 200',
      'a <head 200',
      'b <data hi!',
      'a <data hi!',
      'a gone',
      'b gone',
      'end gone',
    ]);
    assert.match(t.text, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(t.text, /hi/);
  });

  it('StopIteration holds the head; body still comes to the filter that stopped', async () => {
    const t = new ManagerHarness({}, { filters: ['a', 'b'] });
    t.onStream = ({ a }) => {
      a!.onRequest = () => FilterHeadersStatus.StopIteration;
      a!.onRequestData = () => FilterDataStatus.StopIterationAndBuffer;
    };
    await t.send(post('12345'));
    assert.deepEqual(t.log, ['a head', 'a data 12345!']);
    t.filters['a']!.decoder.continueDecoding();
    assert.deepEqual(t.log.slice(2), ['b head', 'end head', 'b data 12345!', 'end data 12345!']);
  });

  it('buffered chunks arrive as one when iteration continues', async () => {
    const t = new ManagerHarness({}, { filters: ['a'] });
    t.onStream = ({ a }) => {
      a!.onRequest = () => FilterHeadersStatus.StopIteration;
      a!.onRequestData = (_chunk, end) => (end ? FilterDataStatus.Continue : FilterDataStatus.StopIterationAndBuffer);
    };
    await t.send('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\nab', 'cd', 'ef');
    assert.deepEqual(t.log, ['a head', 'a data ab', 'a data cd', 'a data ef!', 'end head', 'end data abcdef!']);
  });

  it('a buffered request over the limit is answered 413', async () => {
    const t = new ManagerHarness({}, { filters: ['a'], bufferLimit: 4 });
    t.onStream = ({ a }) => {
      a!.onRequest = () => FilterHeadersStatus.StopIteration;
      a!.onRequestData = () => FilterDataStatus.StopIterationAndBuffer;
    };
    await t.send(post('12345'));
    assert.match(t.text, /^HTTP\/1\.1 413 /);
    assert.equal(t.server.stat('http.test.downstream_rq_too_large'), 1);
    assert.equal(t.server.logged[0]!.streamInfo.responseCodeDetails, 'request_payload_too_large');
  });

  it('a request buffered with a watermark pauses the client instead', async () => {
    const t = new ManagerHarness({}, { filters: ['a'], bufferLimit: 4 });
    t.onStream = ({ a }) => {
      a!.onRequest = () => FilterHeadersStatus.StopAllIterationAndWatermark;
    };
    await t.send('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 8\r\n\r\n12345');
    assert.equal(t.text, '');
    assert.equal(t.server.stat('http.test.downstream_flow_control_paused_reading_total'), 1);
    t.filters['a']!.decoder.continueDecoding();
    assert.equal(t.server.stat('http.test.downstream_flow_control_resumed_reading_total'), 1);
    assert.deepEqual(t.log, ['a head', 'end head', 'a data 12345', 'end data 12345']);
  });

  it('StopAllIteration keeps body from every filter, the stopping one included, until it continues', async () => {
    const t = new ManagerHarness({}, { filters: ['a'] });
    t.onStream = ({ a }) => {
      a!.onRequest = () => FilterHeadersStatus.StopAllIterationAndBuffer;
    };
    await t.send(post('body'));
    assert.deepEqual(t.log, ['a head']);
    t.filters['a']!.decoder.continueDecoding();
    assert.deepEqual(t.log.slice(1), ['end head', 'a data body!', 'end data body!']);
  });

  it('a body added to a request without one follows the head', async () => {
    const t = new ManagerHarness({}, { filters: ['a', 'b'] });
    t.onStream = ({ a }) => {
      a!.onRequest = () => {
        a!.decoder.addDecodedData(Buffer.from('more'), false);
        return FilterHeadersStatus.Continue;
      };
    };
    await t.send(get);
    assert.deepEqual(t.log, ['a head!', 'b head', 'end head', 'b data more!', 'end data more!']);
  });

  it('StopIterationNoBuffer on the last chunk still ends the stream for later filters', async () => {
    const t = new ManagerHarness({}, { filters: ['a'] });
    t.onStream = ({ a }) => {
      a!.onRequestData = () => FilterDataStatus.StopIterationNoBuffer;
    };
    await t.send(post('xyz'));
    assert.deepEqual(t.log, ['a head', 'end head', 'a data xyz!']);
    t.filters['a']!.decoder.continueDecoding();
    assert.deepEqual(t.log.slice(3), ['end data !']);
  });

  it('a filter replaces the body with what it injects', async () => {
    const t = new ManagerHarness({}, { filters: ['a'] });
    t.onStream = ({ a }) => {
      a!.onRequestData = (chunk, end) => {
        a!.decoder.injectDecodedData(Buffer.from(Buffer.from(chunk).toString().toUpperCase()), end);
        return FilterDataStatus.StopIterationNoBuffer;
      };
      a!.onResponseData = (chunk, end) => {
        a!.encoder.injectEncodedData(Buffer.from(`<${Buffer.from(chunk).toString()}>`), end);
        return FilterDataStatus.StopIterationNoBuffer;
      };
    };
    await t.send(post('abc'));
    assert.ok(t.log.includes('end data ABC!'));
    t.respond('r');
    assert.match(t.text, /<r>/);
  });

  it('a local reply passes the encoders in reverse and no later decoder', async () => {
    const t = new ManagerHarness({}, { filters: ['a', 'b'] });
    t.onStream = ({ a, b }) => {
      b!.onRequest = () => {
        b!.decoder.sendLocalReply(403, 'no', 'denied');
        return FilterHeadersStatus.StopIteration;
      };
      a!.onResponse = (head) => {
        head.headers.set('x-seen', 'a');
        return FilterHeadersStatus.Continue;
      };
    };
    await t.send(get);
    assert.deepEqual(t.log.slice(0, 6), [
      'a head!',
      'b head!',
      'b <head 403',
      'a <head 403',
      'b <data no!',
      'a <data no!',
    ]);
    assert.match(t.text, /^HTTP\/1\.1 403 Forbidden\r\n[\s\S]*x-seen: a\r\n[\s\S]*\r\n\r\nno$/);
    assert.equal(t.server.logged[0]!.streamInfo.responseCodeDetails, 'denied');
    t.filters['b']!.decoder.continueDecoding(); // too late: nothing happens
    assert.ok(!t.log.includes('end head!'));
  });

  it('an encoder holds the head until it continues; body waits with it', async () => {
    const t = new ManagerHarness({}, { filters: ['a'] });
    t.onStream = ({ a }) => {
      a!.onResponse = () => FilterHeadersStatus.StopIteration;
      a!.onResponseData = () => FilterDataStatus.StopIterationAndBuffer;
    };
    await t.send(get);
    t.respond('late');
    assert.equal(t.text, '');
    t.filters['a']!.encoder.continueEncoding();
    assert.match(t.text, /late/);
  });

  it('a buffered response over the limit becomes 500, past the filters', async () => {
    const t = new ManagerHarness({}, { filters: ['a'], bufferLimit: 4 });
    t.onStream = ({ a }) => {
      a!.onResponse = () => FilterHeadersStatus.StopIteration;
      a!.onResponseData = () => FilterDataStatus.StopIterationAndBuffer;
    };
    await t.send(get);
    t.respond('too long');
    assert.match(t.text, /^HTTP\/1\.1 500 /);
    assert.equal(t.server.stat('http.test.rs_too_large'), 1);
  });

  it('a local reply after the response began ends the connection', async () => {
    const t = new ManagerHarness({}, { filters: ['a'] });
    await t.send(get);
    const { decoder } = t.filters['end']!;
    decoder.encodeHeaders(makeHead(), false, 'via_upstream');
    t.filters['a']!.decoder.sendLocalReply(500, 'x', 'late');
    assert.match(t.text, /^HTTP\/1\.1 200 OK/);
    assert.equal(t.connection.state, 'closed');
  });

  it('trailers go to every filter after the body', async () => {
    const t = new ManagerHarness({ httpProtocolOptions: { enableTrailers: true } }, { filters: ['a'] });
    t.onStream = ({ a }) => {
      a!.onRequestTrailers = () => FilterTrailersStatus.StopIteration;
    };
    await t.send('POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nx-t: 1\r\n\r\n');
    assert.deepEqual(t.log, ['a head', 'end head', 'a data ab', 'end data ab', 'a trailers']);
    t.filters['a']!.decoder.continueDecoding();
    assert.deepEqual(t.log.slice(5), ['end trailers']);
  });
});

describe('filters by route', () => {
  const type = (name: string): object => ({ '@type': `type.googleapis.com/${name}` });
  const cors = type('envoy.extensions.filters.http.cors.v3.Cors');
  const filterConfig = (more: object): object => ({ ...type('envoy.config.route.v3.FilterConfig'), ...more });
  const json = {
    routeConfig: {
      virtualHosts: [
        {
          name: 'all',
          domains: ['*'],
          typedPerFilterConfig: { b: filterConfig({ disabled: true }) },
          routes: [
            {
              match: { path: '/on' },
              route: { cluster: 'c' },
              typedPerFilterConfig: { a: filterConfig({ config: cors }) },
            },
            {
              match: { path: '/plain-on' },
              route: { cluster: 'c' },
              typedPerFilterConfig: { a: filterConfig({ config: {} }) },
            },
            { match: { prefix: '/' }, route: { cluster: 'c' } },
          ],
        },
      ],
    },
    httpFilters: [
      { name: 'a', typedConfig: cors, disabled: true },
      { name: 'b', typedConfig: type('envoy.extensions.filters.http.buffer.v3.Buffer') },
      { name: 'end', typedConfig: type('envoy.extensions.filters.http.router.v3.Router') },
    ],
  };

  it('a filter that is off by default is on where a route configures it, and off where one says so', async () => {
    const on = new ManagerHarness(json, { filters: ['a', 'b'] });
    await on.send('GET /on HTTP/1.1\r\nhost: a\r\n\r\n');
    assert.deepEqual(on.log, ['a head!', 'end head!']);
    const plain = new ManagerHarness(json, { filters: ['a', 'b'] });
    await plain.send('GET /plain-on HTTP/1.1\r\nhost: a\r\n\r\n');
    assert.deepEqual(plain.log, on.log);
    const off = new ManagerHarness(json, { filters: ['a', 'b'] });
    await off.send('GET /off HTTP/1.1\r\nhost: a\r\n\r\n');
    assert.deepEqual(off.log, ['end head!']);
  });

  it('a request refused before routing meets the filters as they are without a route', async () => {
    const refused = new ManagerHarness({ ...json, normalizePath: true }, { filters: ['a', 'b'] });
    await refused.send('GET /a%00 HTTP/1.1\r\nhost: a\r\n\r\n');
    assert.match(refused.text, /^HTTP\/1\.1 400 /);
    assert.deepEqual(refused.log.slice(0, 1), ['b <head 400!']);
  });
});

function makeHead(): ResponseHead {
  return new ResponseHead(200, new HeaderMap(['content-length', '10']));
}
