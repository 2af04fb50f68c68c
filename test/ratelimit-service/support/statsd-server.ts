import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import net from 'node:net';

/** A statsd server over TCP that adds up the counters it is sent. */
export interface StatsdServer {
  readonly port: number;
  readonly counters: ReadonlyMap<string, number>;
  close(): void;
}

/** Starts one on a free port. */
export async function startStatsd(): Promise<StatsdServer> {
  const counters = new Map<string, number>();
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    let rest = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      const end = rest.lastIndexOf(0x0a);
      for (const line of rest.toString('utf8', 0, end + 1).split('\n')) {
        const counter = /^(.*):([0-9.]+)\|c$/s.exec(line);
        if (counter !== null) counters.set(counter[1]!, (counters.get(counter[1]!) ?? 0) + Number(counter[2]));
      }
      rest = rest.subarray(end + 1);
    });
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    counters,
    close(): void {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
