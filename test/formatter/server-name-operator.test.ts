import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FormatterContext } from '#gateway/api/access-log.ts';
import { requestedServerName } from '#gateway/formatter/server-name-operator.ts';

function said(options: string, sni: string, authority: string, original: string | null): string | null {
  const headers = { get: (name: string) => (name === 'x-envoy-original-host' ? original : null) };
  const context = {
    request: { authority, headers },
    streamInfo: { connection: { requestedServerName: sni } },
  } as unknown as FormatterContext;
  return requestedServerName.compile(options, 'REQUESTED_SERVER_NAME').text(context);
}

const rows: readonly (readonly [
  options: string,
  both: string | null,
  noSni: string | null,
  originalToo: string | null,
])[] = [
  ['', 'sni', null, 'sni'],
  ['SNI_ONLY', 'sni', null, 'sni'],
  ['SNI_FIRST', 'sni', 'host', 'sni'],
  ['SNI_FIRST:ORIG', 'sni', null, 'sni'],
  ['HOST_FIRST', 'host', 'host', 'original'],
  ['HOST_FIRST:', 'host', 'host', 'original'],
  ['HOST_FIRST:HOST', 'host', 'host', 'host'],
  ['HOST_FIRST:HOST:MORE', 'host', 'host', 'host'],
  [':HOST', 'sni', null, 'sni'],
  ['HOST_FIRST:ORIG', 'sni', null, 'original'],
  ['HOST_FIRST:ORIG_OR_HOST', 'host', 'host', 'original'],
];

describe('REQUESTED_SERVER_NAME', () => {
  for (const [options, both, noSni, originalToo] of rows) {
    it(`(${options})`, () => {
      assert.equal(said(options, 'sni', 'host', null), both);
      assert.equal(said(options, '', 'host', null), noSni);
      assert.equal(said(options, 'sni', 'host', 'original'), originalToo);
    });
  }

  for (const options of ['SNI', 'SNI_FIRST:OTHER']) {
    it(`refuses (${options})`, () => assert.throws(() => said(options, '', '', null), /REQUESTED_SERVER_NAME/));
  }
});
