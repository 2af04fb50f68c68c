import net from 'node:net';
import type { DemoPort } from './settings.ts';

/** One sentence for every port that cannot be listened on; empty when all are free. */
export async function portProblems(ports: readonly DemoPort[]): Promise<string[]> {
  const problems = await Promise.all(ports.map(problemOf));
  return problems.filter((problem) => problem !== null);
}

async function problemOf({ port, host, what, setting }: DemoPort): Promise<string | null> {
  return await new Promise((resolve) => {
    const server = net.createServer();
    server.on('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'is taken' : `cannot be used (${error.code ?? error.message})`;
      const kind = setting === 'SLUICE_INTERNAL_PORTS' ? 'the first of a free range of 30' : 'another one';
      resolve(`port ${port} (${what}) ${why}: set ${setting} to ${kind}`);
    });
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(null)));
  });
}

/** Whether something accepts connections on a port of the loopback interface. */
export async function accepts(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' });
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
