import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readConfigFlags } from '#certs/acme/acme-config.ts';
import { checkAcmeOptions, parseAcmeOptions } from '#certs/acme/acme-options.ts';

it('the example of a configuration for ACME is valid, and on the ports of its gateway', () => {
  const file = fileURLToPath(new URL('../../deploy/acme/acme.yaml', import.meta.url));
  const options = parseAcmeOptions(readConfigFlags(file));
  assert.deepEqual(checkAcmeOptions('serve', options), []);
  assert.deepEqual(
    [options.httpListen, options.tlsListen, options.listen, options.certificates[0]!.name],
    ['127.0.0.1:8402', '127.0.0.1:8403', '127.0.0.1:8404', 'edge'],
  );
});
