import http2 from 'node:http2';
import type net from 'node:net';

/** An HTTP/2 server over plain TCP (node:http2, another implementation than ours) that answers when told. */
export interface H2Upstream {
  readonly port: number;
  connections: number;
  /** Requests that wait for their answer. */
  readonly held: http2.ServerHttp2Stream[];
  /** Answers them. */
  releaseAll(): void;
  /** Sends GOAWAY on every connection; open streams go on. */
  goAway(): void;
  close(): void;
}

/** Starts one. Without `hold` requests are answered 200 at once. */
export async function startH2Upstream(options: { maxConcurrentStreams: number; hold: boolean }): Promise<H2Upstream> {
  const sessions = new Set<http2.ServerHttp2Session>();
  const { maxConcurrentStreams, hold } = options;
  const server = http2.createServer({ settings: { maxConcurrentStreams } });
  const answer = (stream: http2.ServerHttp2Stream): void => {
    stream.respond({ ':status': 200 });
    stream.end('ok');
  };
  server.on('session', (session) => {
    upstream.connections++;
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => {});
  });
  server.on('stream', (stream) => {
    stream.on('error', () => {});
    if (hold) upstream.held.push(stream);
    else answer(stream);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const upstream: H2Upstream = {
    port: (server.address() as net.AddressInfo).port,
    connections: 0,
    held: [],
    releaseAll(): void {
      for (const stream of upstream.held.splice(0)) answer(stream);
    },
    goAway(): void {
      for (const session of sessions) session.goaway();
    },
    close(): void {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
  return upstream;
}
