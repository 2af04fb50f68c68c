import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createCertificate } from '#test/support/certificates.ts';
import { type GatewayProcess, startGateway } from '#test/support/gateway-process.ts';
import { helloMessage, helloRecords, type RawHello, sayHello } from '#test/support/raw-tls-client.ts';
import { answeringChain } from '#test/support/tls-listeners.ts';

const wanted = 10_000;
/** Descriptors that either process needs for other things. */
const spare = 500;
/** What one such connection may cost the gateway: parsed hello, TLS state, buffers of kernel and runtime are not counted. */
const maxOctetsEach = 64 * 1024;

const { certificate, privateKey } = await createCertificate({ name: 'server', sans: ['dns:x.test'] });
const files = { 'c.pem': certificate, 'c.key': privateKey };
const config = `static_resources:
  listeners:${answeringChain('main', {
    common:
      '{ tls_certificates: [{ certificate_chain: { filename: "{dir}/c.pem" }, private_key: { filename: "{dir}/c.key" } }] }',
    chain: 'transport_socket_connect_timeout: 300s',
  })}
`;
const hello: RawHello = { suites: [0xc02b], groups: [29, 23], signatureAlgorithms: [0x0403], serverName: 'x.test' };
const whole = helloRecords(helloMessage(hello));
/** A connection in its three states: nothing said, half a ClientHello, a handshake that waits for the client. */
const openings: readonly Uint8Array[] = [Buffer.alloc(0), whole.subarray(0, 60), whole];

/** Files that a process may have open; 0 where the system does not say. */
function descriptorLimit(pid: number | 'self'): number {
  try {
    const line = /^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'));
    return Number(line?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function residentOctets(pid: number): number {
  return 1024 * Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
}

function open(port: number, octets: Uint8Array): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1' });
    socket.on('error', reject);
    socket.on('connect', () => {
      if (octets.length === 0) resolve(socket);
      else if (octets.length < whole.length) socket.write(octets, () => resolve(socket));
      else socket.write(octets);
    });
    socket.once('data', () => resolve(socket));
  });
}

async function active(gateway: GatewayProcess): Promise<number> {
  const { text } = await gateway.admin('/stats?filter=listener.127.0.0.1_0.downstream_cx_active');
  return Number(/: (\d+)/.exec(text)?.[1] ?? -1);
}

async function reaches(gateway: GatewayProcess, count: number): Promise<void> {
  for (let i = 0; (await active(gateway)) !== count; i++) {
    assert.ok(i < 400, `${await active(gateway)} connections instead of ${count}`);
    await delay(25);
  }
}

describe('half-open handshakes', () => {
  const title = `${wanted} of them cost bounded memory, others are served, and nothing stays`;
  it(title, { timeout: 300_000 }, async (t) => {
    const gateway = await startGateway(config, { files });
    const sockets: net.Socket[] = [];
    try {
      const pid = gateway.child.pid!;
      const count = Math.min(wanted, descriptorLimit('self') - spare, descriptorLimit(pid) - spare);
      if (count < 1000) {
        t.skip('a process may open too few files here (ulimit -n)');
        return;
      }
      for (let i = 0; i < 60; i++) (await open(gateway.port('main'), openings[i % 3]!)).destroy();
      const before = residentOctets(pid);
      for (let i = 0; i < count; i += 100) {
        const batch = Array.from({ length: 100 }, (_, j) => open(gateway.port('main'), openings[(i + j) % 3]!));
        sockets.push(...(await Promise.all(batch)));
      }
      await reaches(gateway, sockets.length);
      const each = (residentOctets(pid) - before) / sockets.length;
      t.diagnostic?.(`${sockets.length} connections, ${Math.round(each)} octets each`);
      assert.ok(each < maxOctetsEach, `${Math.round(each)} octets each`);
      for (let i = 0; i < 20; i++) assert.equal((await sayHello(gateway.port('main'), hello)).subject, 'server');
      for (const socket of sockets) {
        socket.on('error', () => {});
        socket.destroy();
      }
      await reaches(gateway, 0);
      assert.equal((await sayHello(gateway.port('main'), hello)).subject, 'server');
    } finally {
      for (const socket of sockets) socket.destroy();
      await gateway.stop();
    }
  });
});
