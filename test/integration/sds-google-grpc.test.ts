import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCertificate } from '#test/support/certificates.ts';
import { goControlPlaneTest, type ServedSecret, startGoControlPlane } from '#test/support/go-control-plane.ts';
import { startSdsGateway } from '#test/support/sds-gateway.ts';

const one = await createCertificate({ name: 'one', sans: ['dns:edge.test'] });
const two = await createCertificate({ name: 'two', sans: ['dns:edge.test'] });
const secret = ({ certificate, privateKey }: typeof one): ServedSecret[] => [
  { name: 'edge', certificate, key: privateKey },
];

goControlPlaneTest('google_grpc by mutual TLS, with metadata: rotates and comes back', async (program) => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-google-grpc-'));
  const write = (name: string, text: string): string => {
    writeFileSync(join(dir, name), text, { mode: 0o600 });
    return join(dir, name);
  };
  const ca = await createCertificate({ name: 'ca', ca: true });
  const own = await createCertificate({ name: 'plane', sans: ['dns:localhost'], issuer: ca, usages: ['serverAuth'] });
  const client = await createCertificate({ name: 'gateway', sans: ['dns:gw'], issuer: ca, usages: ['clientAuth'] });
  const roots = write('ca.pem', ca.certificate);
  const args = ['-cert', write('plane.pem', own.certificate), '-key', write('plane.key', own.privateKey)];
  args.push('-client-ca', roots);
  const [chain, key] = [write('client.pem', client.certificate), write('client.key', client.privateKey)];
  let plane = await startGoControlPlane(program, [...args, '-listen', 'localhost:0']);
  const { port } = plane;
  const ssl = `ssl_credentials: { root_certs: { filename: ${roots} }, private_key: { filename: ${key} }, cert_chain: { filename: ${chain} } }`;
  const google = `google_grpc: { target_uri: "localhost:${port}", stat_prefix: plane, channel_credentials: { ${ssl} } }`;
  const service = `{ ${google}, initial_metadata: [ { key: x-token, value: sesame } ] }`;
  const gateway = await startSdsGateway({ aggregated: false, delta: false, service }, 1);
  try {
    const opened = await plane.event(({ event }) => event === 'open');
    assert.equal(opened.token, 'sesame');
    plane.set('1', secret(one));
    await gateway.untilServed('one');
    plane.set('2', secret(two));
    await gateway.untilServed('two');
    await plane.kill();
    plane = await startGoControlPlane(program, [...args, '-listen', `localhost:${port}`]);
    plane.set('3', secret(one));
    await gateway.untilServed('one');
    assert.ok((await gateway.stat('grpc.plane.streams_total')) >= 2);
    assert.ok((await gateway.stat('grpc.plane.streams_closed_14')) >= 1);
  } finally {
    await gateway.stop();
    await plane.kill();
    rmSync(dir, { recursive: true, force: true });
  }
});

goControlPlaneTest('google_grpc over a unix socket, incremental and aggregated', async (program) => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-google-grpc-'));
  const path = join(dir, 'plane.sock');
  const plane = await startGoControlPlane(program, ['-listen', `unix:${path}`]);
  const service = `{ google_grpc: { target_uri: "unix:${path}", stat_prefix: plane } }`;
  const gateway = await startSdsGateway({ aggregated: true, delta: true, service }, 1);
  try {
    plane.set('1', secret(one));
    await gateway.untilServed('one');
    plane.set('2', secret(two));
    await gateway.untilServed('two');
  } finally {
    await gateway.stop();
    await plane.kill();
    rmSync(dir, { recursive: true, force: true });
  }
});
