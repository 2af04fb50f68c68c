import assert from 'node:assert/strict';
import { createCertificate } from '#test/support/certificates.ts';
import { goControlPlaneTest, type ServedSecret, startGoControlPlane } from '#test/support/go-control-plane.ts';
import { freePorts } from '#test/support/running-program.ts';
import { startSdsGateway } from '#test/support/sds-gateway.ts';

const one = await createCertificate({ name: 'one', sans: ['dns:edge.test'] });
const two = await createCertificate({ name: 'two', sans: ['dns:edge.test'] });

const secret = (certificate: string, key: string): ServedSecret => ({ name: 'edge', certificate, key });

const sources = [
  { title: 'SDS, state of the world', aggregated: false, delta: false },
  { title: 'SDS, incremental', aggregated: false, delta: true },
  { title: 'ADS, state of the world', aggregated: true, delta: false },
  { title: 'ADS, incremental', aggregated: true, delta: true },
];

for (const { title, aggregated, delta } of sources) {
  goControlPlaneTest(`${title}: warms, rotates, refuses with the reason, outlives the server`, async (program) => {
    let plane = await startGoControlPlane(program);
    const gateway = await startSdsGateway({ aggregated, delta }, plane.port);
    try {
      const first = await plane.event(({ event }) => event === 'request');
      assert.deepEqual(first.names, ['edge']);
      assert.equal(first.node, 'gateway');
      assert.equal(first.delta === true, delta);
      const warming = await gateway.admin('/ready');
      assert.equal(warming.status, 503);
      assert.equal(warming.text.trim(), 'INITIALIZING');
      assert.match((await gateway.admin('/config_dump?resource=dynamic_warming_secrets')).text, /uninitialized/);

      plane.set('1', [secret(one.certificate, one.privateKey)]);
      await gateway.untilServed('one');
      assert.equal((await gateway.admin('/ready')).status, 200);
      await plane.event(({ event, nonce, error }) => event === 'request' && nonce === '1' && error === undefined);

      const beforeBad = plane.events.length;
      plane.set('2', [secret(two.certificate, one.privateKey)]);
      const refusal = await plane.event(({ error }) => error !== undefined, beforeBad);
      assert.match(refusal.error!, /private key does not belong to the certificate/);
      assert.ok(!refusal.error!.includes('PRIVATE KEY'));
      if (!delta) assert.equal(refusal.version, '1');
      assert.equal(await gateway.served(), 'one');
      assert.ok((await gateway.stat('sds.edge.update_rejected')) >= 1);
      const dump = await gateway.admin('/config_dump?resource=dynamic_active_secrets');
      assert.match(dump.text, /"version_info": "1"/);
      assert.match(dump.text, /does not belong/);
      assert.ok(!dump.text.includes('PRIVATE KEY'));

      plane.set('3', [secret(two.certificate, two.privateKey)]);
      await gateway.untilServed('two');
      await gateway.program.until(async () => (await gateway.stat('sds.edge.update_success')) >= 2);

      const { port } = plane;
      await plane.kill();
      assert.equal(await gateway.served(), 'two');
      plane = await startGoControlPlane(program, ['-listen', `127.0.0.1:${port}`]);
      plane.set('4', [secret(one.certificate, one.privateKey)]);
      const again = await plane.event(({ event }) => event === 'request');
      assert.deepEqual(again.names, ['edge']);
      if (delta) assert.match(again.versions?.[0] ?? '', /^edge=./);
      else assert.equal(again.version, '3');
      await gateway.untilServed('one');
      assert.ok((await gateway.stat('sds.edge.update_failure')) >= 1);
      const scope = aggregated ? '' : 'sds.edge.';
      assert.equal(await gateway.stat(`${scope}control_plane.connected_state`), 1);
    } finally {
      await gateway.stop();
      await plane.kill();
    }
  });
}

goControlPlaneTest('the states of a start: the secrets of clusters, those of listeners, live', async (program) => {
  const plane = await startGoControlPlane(program);
  const source = { aggregated: false, delta: false, upstreamSecret: 'client' };
  const gateway = await startSdsGateway(source, plane.port);
  const state = async (): Promise<string> => (await gateway.admin('/ready')).text.trim();
  try {
    const both = [
      secret(one.certificate, one.privateKey),
      { ...secret(two.certificate, two.privateKey), name: 'client' },
    ];
    assert.equal(await state(), 'PRE_INITIALIZING');
    plane.set('1', both.slice(1));
    await gateway.program.until(async () => (await state()) === 'INITIALIZING');
    plane.set('2', both);
    await gateway.program.until(async () => (await state()) === 'LIVE');
    assert.equal(await gateway.served(), 'one');
  } finally {
    await gateway.stop();
    await plane.kill();
  }
});

goControlPlaneTest(
  'a control plane that is not there yet: connections are closed and counted, until it is',
  async (program) => {
    const [port = 0] = await freePorts(1);
    const gateway = await startSdsGateway({ aggregated: false, delta: true, fetchTimeout: 0.3 }, port);
    const factory = `listener.127.0.0.1_${gateway.port}.server_ssl_socket_factory`;
    let kill = async (): Promise<void> => {};
    try {
      await gateway.program.until(async () => (await gateway.admin('/ready')).status === 200);
      assert.equal(await gateway.stat('sds.edge.init_fetch_timeout'), 1);
      assert.equal(await gateway.served(), '');
      assert.equal(await gateway.stat(`${factory}.downstream_context_secrets_not_ready`), 1);
      const plane = await startGoControlPlane(program, ['-listen', `127.0.0.1:${port}`]);
      kill = plane.kill;
      plane.set('1', [secret(one.certificate, one.privateKey)]);
      await gateway.untilServed('one');
      assert.equal(await gateway.stat(`${factory}.ssl_context_update_by_sds`), 1);
    } finally {
      await gateway.stop();
      await kill();
    }
  },
);
