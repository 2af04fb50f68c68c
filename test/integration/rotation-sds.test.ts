import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SdsServer } from '#certs/sds/sds-server.ts';
import { type SecretResource, SecretResources, secretTypeName } from '#certs/sds/secret-resources.ts';
import { Logger } from '#gateway/base/log.ts';
import { createMessage, packAny } from '#gateway/proto/registry.ts';
import type { Secret } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import { staticCluster } from '#test/support/bootstrap.ts';
import { createCertificate, type TestCertificate } from '#test/support/certificates.ts';
import { startGateway } from '#test/support/gateway-process.ts';
import { grpcSource, rotationBootstrap } from '#test/support/rotation-gateway.ts';
import { RotationLoad, serialText } from '#test/support/rotation-load.ts';
import { until } from '#test/support/until.ts';

const ca = await createCertificate({ name: 'ca', ca: true });
const rounds = 100;
const leaves: TestCertificate[] = [];
for (let i = 0; i <= rounds; i++)
  leaves.push(await createCertificate({ name: `v${i}`, sans: ['dns:a.test'], issuer: ca }));
const clientCas = await Promise.all([0, 1].map((i) => createCertificate({ name: `clients ${i}`, ca: true })));
const client = await createCertificate({ name: 'client', issuer: clientCas[0]!, usages: ['clientAuth'] });

const serialOf = (leaf: TestCertificate): string => serialText(leaf.x509.serialNumber);
const inline = (text: string): object => ({ specifier: { case: 'inlineString', value: text } });

function resource(name: string, version: string, type: object): SecretResource {
  return { name, version, any: packAny(createMessage<Secret>(secretTypeName, { name, type: type as never })) };
}

function edge(leaf: TestCertificate, version: string, privateKey = leaf.privateKey): SecretResource {
  const value = { certificateChain: inline(leaf.certificate), privateKey: inline(privateKey) };
  return resource('edge', version, { case: 'tlsCertificate', value });
}

function clients(version: string, ...authorities: TestCertificate[]): SecretResource {
  const trustedCa = inline(authorities.map(({ certificate }) => certificate).join(''));
  return resource('clients', version, { case: 'validationContext', value: { trustedCa } });
}

for (const apiType of ['GRPC', 'DELTA_GRPC']) {
  describe(`rotation under load, by SDS (${apiType})`, () => {
    it(`${rounds} rotations, of client authorities too, and the service killed and restarted: nothing fails`, async () => {
      const lines: string[] = [];
      const log = new Logger('sds', { write: (_level, _component, message) => lines.push(message) }, 'info');
      const resources = new SecretResources();
      resources.set(edge(leaves[0]!, 'v0'));
      resources.set(clients('c0', clientCas[0]!));
      let service = new SdsServer(resources, log);
      const port = await service.listen('127.0.0.1:0');
      const gateway = await startGateway(
        rotationBootstrap({ certificate: grpcSource(apiType), clientCa: grpcSource(apiType) }, [
          staticCluster('sds', [port], { http2: true }),
        ]),
      );
      let load: RotationLoad | null = null;
      try {
        load = await RotationLoad.start({
          port: gateway.port('main'),
          ca: ca.certificate,
          serverName: 'a.test',
          identity: client,
          kept: 2,
          pauseMs: 5,
        });
        let slowestMs = 0;
        for (let round = 1; round <= rounds; round++) {
          const leaf = leaves[round]!;
          let limitMs = 1000;
          if (round % 40 === 0) {
            service.close();
            resources.set(edge(leaf, `v${round}`));
            service = new SdsServer(resources, log);
            await service.listen(`127.0.0.1:${port}`);
            limitMs = 15_000; // the gateway comes back after a pause that grows
          } else resources.set(edge(leaf, `v${round}`));
          if (round % 10 === 0)
            resources.set(clients(`c${round}`, clientCas[0]!, ...(round % 20 === 0 ? [clientCas[1]!] : [])));
          const tookMs = await load.untilShown(serialOf(leaf), limitMs);
          if (limitMs === 1000) slowestMs = Math.max(slowestMs, tookMs);
        }
        // One that is refused changes nothing, and the service is told why.
        resources.set(edge(leaves[0]!, 'wrong', leaves[1]!.privateKey));
        await until(() => lines.some((line) => line.includes('NACK')));
        assert.match(lines.find((line) => line.includes('NACK'))!, /private key does not belong to the certificate/);
        await load.untilShown(serialOf(leaves[rounds]!), 1000);
        assert.deepEqual(await load.stop(), { alive: 4, kept: 4 });
        assert.deepEqual(load.counts.failures, []);
        assert.ok(slowestMs < 1000);
        const stats = (await gateway.admin('/stats?filter=^sds.')).text;
        assert.match(stats, new RegExp(`^sds\\.edge\\.rotations: ${rounds}$`, 'm'), stats);
        assert.match(stats, /^sds\.edge\.update_rejected: 1$/m);
        assert.ok(Number(/^sds\.clients\.rotations: (\d+)$/m.exec(stats)?.[1]) >= 1, stats);
      } finally {
        await load?.stop().catch(() => {});
        await gateway.stop();
        service.close();
      }
    });
  });
}
