import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FilterHeadersStatus } from '#gateway/api/http-filter.ts';
import { csrfExtension } from '#gateway/extensions/http/csrf/csrf-extension.ts';
import { FilterHarness } from '#test/support/filter-harness.ts';
import { requestHead } from '#test/support/router-stream.ts';

const policy = {
  filter_enabled: { default_value: { numerator: 100 } },
  additional_origins: [{ exact: 'ok.com' }, { exact: 'ok.com:81' }],
};

describe('csrf', () => {
  const cases: readonly { method?: string; headers: readonly string[]; stat: string | null; passes: boolean }[] = [
    { headers: [], stat: 'missing_source_origin', passes: false },
    { headers: ['origin', 'null'], stat: 'missing_source_origin', passes: false },
    { headers: ['origin', 'http://example.com'], stat: 'request_valid', passes: true },
    { headers: ['origin', 'http://example.com:8080'], stat: 'request_invalid', passes: false },
    { headers: ['origin', 'http://ok.com'], stat: 'request_valid', passes: true },
    { headers: ['origin', 'https://ok.com:81'], stat: 'request_valid', passes: true },
    { headers: ['origin', 'ftp://ok.com'], stat: 'request_valid', passes: true },
    { headers: ['origin', 'ok.com'], stat: 'request_valid', passes: true },
    { headers: ['referer', 'http://ok.com/a/b?c'], stat: 'request_valid', passes: true },
    { method: 'DELETE', headers: ['referer', 'http://ok.net/a'], stat: 'request_invalid', passes: false },
    { method: 'GET', headers: [], stat: null, passes: true },
  ];
  for (const { method = 'POST', headers, stat, passes } of cases) {
    it(`${method} ${headers.join(': ')} ${passes ? 'passes' : 'is refused'}`, () => {
      const harness = new FilterHarness(csrfExtension, policy);
      const stream = harness.stream();
      const status = stream.request(requestHead(method, '/', ...headers));
      assert.equal(status === FilterHeadersStatus.Continue, passes);
      if (!passes) assert.deepEqual(stream.events, ['reply 403 csrf_origin_mismatch', 'end']);
      if (stat !== null) assert.equal(harness.stat(`csrf.${stat}`), 1);
    });
  }

  it('a shadow policy of a route only counts', () => {
    const harness = new FilterHarness(csrfExtension, policy);
    const none = { default_value: { numerator: 0 } };
    const shadow = { filter_enabled: none, shadow_enabled: { default_value: { numerator: 100 } } };
    assert.equal(harness.stream(shadow).request(requestHead('PUT', '/')), FilterHeadersStatus.Continue);
    assert.equal(harness.stat('csrf.missing_source_origin'), 1);
    assert.equal(
      harness.stream({ filter_enabled: none }).request(requestHead('PUT', '/')),
      FilterHeadersStatus.Continue,
    );
    assert.equal(harness.stat('csrf.missing_source_origin'), 1);
  });
});
