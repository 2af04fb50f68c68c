import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import tls from 'node:tls';
import { residentKib } from './process-cost.ts';

/**
 * Memory per idle connection, KiB: opens `count` connections that have each had one request answered, and compares the
 * proxy's resident memory. A first hundred is opened before the measurement, so that lazily made parts are not counted.
 */
export async function idleKibPerConnection(port: number, secure: boolean, count: number, pid: number): Promise<number> {
  const sockets = await open(port, secure, 100);
  await delay(500);
  const before = residentKib(pid);
  sockets.push(...(await open(port, secure, count)));
  await delay(1000);
  const grown = residentKib(pid) - before;
  for (const socket of sockets) socket.destroy();
  return grown / count;
}

async function open(port: number, secure: boolean, count: number): Promise<net.Socket[]> {
  const sockets: net.Socket[] = [];
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port };
      const ready = (): void => {
        socket.write('GET /small HTTP/1.1\r\nhost: a\r\n\r\n');
      };
      const socket: net.Socket = secure
        ? tls.connect({ ...options, rejectUnauthorized: false }, ready)
        : net.connect(options, ready);
      socket.once('data', () => resolve());
      socket.on('error', reject);
      sockets.push(socket);
    });
  for (let started = 0; started < count; started += 50) {
    await Promise.all(Array.from({ length: Math.min(50, count - started) }, one));
  }
  return sockets;
}
