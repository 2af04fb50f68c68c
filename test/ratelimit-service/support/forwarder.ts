import { once } from 'node:events';
import net from 'node:net';

/** A TCP address that leads to a server which can be exchanged, as a name or a floating address does. */
export interface Forwarder {
  readonly port: number;
  /** Where new connections go. */
  target: number;
  /** Ends all connections. */
  cut(): void;
  close(): Promise<void>;
}

/** Starts one on a free port of the loopback interface. */
export async function startForwarder(target: number): Promise<Forwarder> {
  const sockets = new Set<net.Socket>();
  const keep = (socket: net.Socket): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  };
  const server = net.createServer((near) => {
    const far = net.connect(forwarder.target, '127.0.0.1');
    keep(near);
    keep(far);
    near.on('data', (chunk) => far.write(chunk));
    far.on('data', (chunk) => near.write(chunk));
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
    near.on('end', () => far.end());
    far.on('end', () => near.end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const forwarder: Forwarder = {
    port: (server.address() as net.AddressInfo).port,
    target,
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    close: async () => {
      forwarder.cut();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
  return forwarder;
}
