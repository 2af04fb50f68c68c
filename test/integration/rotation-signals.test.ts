import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createCertificate } from '#test/support/certificates.ts';
import { startGateway } from '#test/support/gateway-process.ts';
import { fileSource, rotationBootstrap, secretYaml } from '#test/support/rotation-gateway.ts';

const soon = new Date(Date.now() + 5 * 86_400_000);
const ca = await createCertificate({ name: 'ca', ca: true });
const first = await createCertificate({ name: 'first', sans: ['dns:a.test'], issuer: ca, notAfter: soon });
const elsewhere = await createCertificate({ name: 'elsewhere', sans: ['dns:b.test'], issuer: ca });
const expired = await createCertificate({
  name: 'expired',
  sans: ['dns:a.test'],
  issuer: ca,
  notBefore: new Date(0),
  notAfter: new Date(1e12),
});
const second = await createCertificate({ name: 'second', sans: ['dns:a.test', 'dns:c.test'], issuer: ca });

function inline({ certificate, privateKey }: typeof first): string {
  const text = (pem: string): string => `{ inline_string: ${JSON.stringify(pem)} }`;
  return `tls_certificate: { certificate_chain: ${text(certificate)}, private_key: ${text(privateKey)} }`;
}

describe('signals of a rotation', () => {
  it('a refused secret is told in the log, /certs and /stats; the old one serves on, and the next is taken', async () => {
    const base = mkdtempSync(join(tmpdir(), 'sluice-signals-'));
    const file = join(base, 'edge.yaml');
    const put = (text: string): void => {
      writeFileSync(`${file}.new`, text);
      renameSync(`${file}.new`, file);
    };
    put(secretYaml('edge', inline(first)));
    const config = rotationBootstrap({ certificate: fileSource(file) }, [], 'server_names: [ a.test ]');
    const gateway = await startGateway(config, { args: ['-l', 'warning'] });
    const untilStat = async (line: RegExp): Promise<void> => {
      for (let i = 0; i < 1000; i++) {
        if (line.test((await gateway.admin('/stats')).text)) return;
        await new Promise((done) => setTimeout(done, 20));
      }
      throw new Error(`no ${line} in ${(await gateway.admin('/stats?filter=sds')).text}`);
    };
    interface Certs {
      readonly certificates: {
        readonly cert_chain: { readonly path: string; readonly days_until_expiration: string }[];
      }[];
      readonly secrets?: {
        name: string;
        rotations: string;
        refused?: string;
        refused_at?: string;
        warnings?: string[];
      }[];
    }
    const certs = async (query = ''): Promise<Certs> => JSON.parse((await gateway.admin(`/certs${query}`)).text);
    try {
      assert.deepEqual(Object.keys(await certs()), ['certificates']);
      assert.equal((await certs()).certificates[0]!.cert_chain[0]!.path, '<inline>');
      assert.equal((await certs()).certificates[0]!.cert_chain[0]!.days_until_expiration, '4');
      assert.equal((await certs('?secrets')).secrets![0]!.rotations, '0');
      await gateway.admin('/stats');
      const metrics = (await gateway.admin('/stats/prometheus')).text;
      const labels = 'envoy_tls_certificate="edge",envoy_listener_address="127.0.0.1_0"';
      const gauges = metrics.split('\n').filter((line) => line.startsWith('envoy_listener_ssl_certificate_'));
      assert.ok(
        gauges.includes(`envoy_listener_ssl_certificate_days_until_expiration{${labels}} 4`),
        gauges.join('\n'),
      );
      const endSeconds = Math.floor(first.x509.notAfter.getTime() / 1000);
      assert.ok(
        gauges.includes(`envoy_listener_ssl_certificate_expiration_unix_time_seconds{${labels}} ${endSeconds}`),
        gauges.join('\n'),
      );
      assert.match(metrics, /^envoy_sds_age_seconds\{envoy_xds_resource_name="edge"\} \d+$/m);
      assert.match(metrics, /^envoy_sds_rotations\{envoy_xds_resource_name="edge"\} 0$/m);
      assert.match(metrics, /^envoy_server_days_until_first_cert_expiring\{\} 4$/m);

      for (const [wrong, reason] of [
        [elsewhere, /no certificate covers the server name a\.test/],
        [expired, /the certificate 'expired' expired 2001-09-09T01:46:40Z/],
      ] as const) {
        put(secretYaml('edge', inline(wrong)));
        const refused = wrong === elsewhere ? 1 : 2;
        await untilStat(new RegExp(`^sds\\.edge\\.update_rejected: ${refused}$`, 'm'));
        const [told] = (await certs()).secrets!;
        assert.match(told!.refused!, reason);
        assert.match(gateway.output, reason);
        assert.equal((await certs()).certificates[0]!.cert_chain[0]!.days_until_expiration, '4');
        assert.match((await gateway.admin('/stats')).text, /^sds\.edge\.refused: 1$/m);
      }

      put(secretYaml('edge', inline(second)));
      await untilStat(/^sds\.edge\.rotations: 1$/m);
      assert.deepEqual(Object.keys(await certs()), ['certificates']);
      assert.equal((await certs()).certificates[0]!.cert_chain[0]!.days_until_expiration, '9');
      assert.ok(!gateway.output.includes('PRIVATE'));
      // The certificate that is gone is not warned of for ever, the one that ended soon was, once.
      assert.ok(gateway.output.split("'first'").length <= 2, gateway.output);
    } finally {
      await gateway.stop();
      rmSync(base, { recursive: true, force: true });
    }
  });
});
