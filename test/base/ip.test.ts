import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatIp, maskIp, parseIp } from '#gateway/base/ip.ts';

describe('IP addresses', () => {
  const forms: readonly (readonly [text: string, usual: string])[] = [
    ['10.1.2.3', '10.1.2.3'],
    ['2001:DB8:0::7', '2001:db8::7'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['::5', '::5'],
    ['1:0:0:2::3', '1:0:0:2::3'],
    ['::ffff:102:304', '::ffff:1.2.3.4'],
    ['::102:304', '::1.2.3.4'],
  ];
  for (const [text, usual] of forms)
    it(`${text} is written ${usual}`, () => assert.equal(formatIp(parseIp(text)!), usual));

  it('masks keep the first bits', () => {
    const masked = (text: string, length: number): string => formatIp(maskIp(parseIp(text)!, length));
    assert.equal(masked('10.1.255.3', 20), '10.1.240.0');
    assert.equal(masked('10.1.2.3', 0), '0.0.0.0');
    assert.equal(masked('10.1.2.3', 32), '10.1.2.3');
    assert.equal(masked('2001:db8:1:2::7', 48), '2001:db8:1::');
  });
});
