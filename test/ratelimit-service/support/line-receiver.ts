import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';

/** A server that takes lines of text. */
export interface LineReceiver {
  readonly port: number;
  readonly lines: readonly string[];
  /** Connections so far; 0 with UDP. */
  readonly connections: () => number;
  /** Stops reading, so that senders are held up. */
  pause(): void;
  resume(): void;
  close(): void;
}

/** Starts one over TCP. */
export async function receiveTcp(port = 0): Promise<LineReceiver> {
  const lines: string[] = [];
  const sockets = new Set<net.Socket>();
  let connections = 0;
  let paused = false;
  const server = net.createServer((socket) => {
    connections++;
    sockets.add(socket);
    let rest = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      const parts = (rest + chunk).split('\n');
      rest = parts.pop()!;
      for (const line of parts) lines.push(line);
    });
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    if (paused) socket.pause();
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    lines,
    connections: () => connections,
    pause(): void {
      paused = true;
      for (const socket of sockets) socket.pause();
    },
    resume(): void {
      paused = false;
      for (const socket of sockets) socket.resume();
    },
    close(): void {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Starts one over UDP; several lines may come in one datagram. */
export async function receiveUdp(): Promise<LineReceiver> {
  const lines: string[] = [];
  const socket = createSocket('udp4');
  socket.on('message', (message) => {
    for (const line of message.toString('utf8').split('\n')) if (line !== '') lines.push(line);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    port: socket.address().port,
    lines,
    connections: () => 0,
    pause(): void {},
    resume(): void {},
    close: () => socket.close(),
  };
}

/** The sums of counters and the calls of timers, by name and tags, of statsd lines. */
export function addUp(lines: readonly string[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const line of lines) {
    const [, name = '', value, type, rate, tags = ''] =
      /^([^:]*):([^|]*)\|([a-z]+)(?:\|@([0-9.e-]+))?(\|#.*)?$/s.exec(line) ?? [];
    const key = `${name}|${type}${tags}`;
    const amount = type === 'c' ? Number(value) : type === 'ms' ? Math.floor(1 / Number(rate ?? 1)) : 0;
    sums.set(key, (sums.get(key) ?? 0) + amount);
  }
  return sums;
}
