import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UriTemplate, UriTemplateRewrite } from '#gateway/route/uri-template.ts';

const cases: readonly { template: string; path: string; rewrite?: string; becomes?: string }[] = [
  { template: '/api/{v}/users/{id}', path: '/api/v1/users/7', rewrite: '/{id}/{v}', becomes: '/7/v1' },
  { template: '/a/{rest=**}', path: '/a/b/c', rewrite: '/x/{rest}', becomes: '/x/b/c' },
  { template: '/videos/*/{id}/*', path: '/videos/hls/en193/file', rewrite: '/{id}', becomes: '/en193' },
  { template: '/{part=lib/*}/x', path: '/lib/one/x', rewrite: '/{part}', becomes: '/lib/one' },
  { template: '/**', path: '/anything/at/all' },
  { template: '/{name=**}.m3u8', path: '/a/b.m3u8', rewrite: '/{name}', becomes: '/a/b' },
];

describe('URI templates', () => {
  for (const { template, path, rewrite, becomes } of cases) {
    it(`${template} matches ${path}`, () => {
      const compiled = new UriTemplate(template);
      assert.ok(compiled.matches(path));
      if (rewrite !== undefined)
        assert.equal(compiled.rewrite(path, new UriTemplateRewrite(rewrite, compiled)), becomes);
    });
  }

  it('one asterisk is one segment', () => {
    const compiled = new UriTemplate('/a/*/c');
    assert.ok(!compiled.matches('/a/b/b/c'));
    assert.ok(!compiled.matches('/a//c'));
  });

  it('malformed templates and unknown variables are refused', () => {
    for (const bad of ['a', '/{1x}', '/{a}/{a}', '/**/{x}', '/a b', '/{a}/{b}/{c}/{d}/{e}/{f}']) {
      assert.throws(() => new UriTemplate(bad), /invalid path template/, bad);
    }
    assert.throws(() => new UriTemplateRewrite('/{b}', new UriTemplate('/{a}')), /variable 'b' is not/);
  });
});
