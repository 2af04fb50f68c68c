import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AppendAction, appendActionOf, headerValueText } from '#gateway/config/header-value.ts';

describe('header values of the configuration', () => {
  it('are a text, or else octets, each as one character', () => {
    assert.equal(headerValueText({ value: 'plain', rawValue: new Uint8Array(0) }), 'plain');
    assert.equal(headerValueText({ value: '', rawValue: Uint8Array.of(0x61, 0x80, 0xff) }), 'a\u0080\u00ff');
  });

  it('the older append wins where it is set', () => {
    assert.equal(appendActionOf({ appendAction: AppendAction.AddIfAbsent }), AppendAction.AddIfAbsent);
    assert.equal(appendActionOf({ append: true, appendAction: AppendAction.OverwriteOrAdd }), AppendAction.AppendOrAdd);
    assert.equal(
      appendActionOf({ append: false, appendAction: AppendAction.AppendOrAdd }),
      AppendAction.OverwriteOrAdd,
    );
  });
});
