// A TLS client program for Node, which can be told every odd certificate and session: `mtls-client.ts JOBS RESULTS`. It reads a
// JSON list of attempts, makes each (a full handshake, then one that offers its session) and writes what came of them.
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import tls from 'node:tls';

/** One client to try. */
export interface MtlsAttempt {
  readonly port: number;
  /** SNI. */
  readonly serverName: string;
  readonly version: 'TLSv1.2' | 'TLSv1.3';
  /** PEM, leaf first; '' for none. */
  readonly certificate: string;
  readonly key: string;
  /** A session of an earlier attempt that the first handshake offers, in base64. */
  readonly session?: string;
}

/** What came of an attempt: whether a request was answered, on the full handshake and on the one that offered its session. */
export interface MtlsResult {
  readonly full: boolean;
  readonly resumed: boolean;
  /** Whether the second handshake did resume. */
  readonly reused: boolean;
  /** The first handshake's session in base64, or ''. */
  readonly session: string;
  readonly serverName: string;
  /** The client's own error, if it had one. */
  readonly error: string;
}

interface Visit {
  readonly answered: boolean;
  readonly session: Buffer | undefined;
  readonly reused: boolean;
  readonly error: string;
}

const limitMs = 10_000;

async function visit(attempt: MtlsAttempt, session: Buffer | undefined): Promise<Visit> {
  return await new Promise((resolve) => {
    let text = '';
    let last: Buffer | undefined;
    let error = '';
    let reused = false;
    let socket: tls.TLSSocket;
    try {
      socket = tls.connect({
        host: '127.0.0.1',
        port: attempt.port,
        servername: attempt.serverName,
        rejectUnauthorized: false,
        minVersion: attempt.version,
        maxVersion: attempt.version,
        ciphers: 'DEFAULT@SECLEVEL=0',
        ...(session === undefined ? {} : { session }),
        ...(attempt.certificate === '' ? {} : { cert: attempt.certificate, key: attempt.key }),
      });
    } catch (problem) {
      resolve({
        answered: false,
        session: undefined,
        reused,
        error: `local: ${(problem as Error).message}`,
      });
      return;
    }
    const timer = setTimeout(() => socket.destroy(new Error('too slow')), limitMs);
    socket.on('secureConnect', () => {
      reused = socket.isSessionReused();
      socket.write('GET / HTTP/1.1\r\nhost: server.test\r\nconnection: close\r\n\r\n');
    });
    socket.on('session', (ticket) => {
      last = ticket;
    });
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      // Tickets came before. Envoy would wait a second for the client's end.
      if (text.endsWith('in')) socket.end();
    });
    socket.on('error', (problem) => {
      error = problem.message;
    });
    socket.on('close', () => {
      clearTimeout(timer);
      resolve({ answered: text.startsWith('HTTP/1.1 200'), session: last, reused, error });
    });
  });
}

async function attemptOnce(attempt: MtlsAttempt): Promise<MtlsResult> {
  const offered = attempt.session === undefined ? undefined : Buffer.from(attempt.session, 'base64');
  const first = await visit(attempt, offered);
  const second = await visit(attempt, first.session);
  const { answered, error } = first;
  const session = first.session?.toString('base64') ?? '';
  return {
    full: answered,
    resumed: second.answered,
    reused: second.reused,
    session,
    serverName: attempt.serverName,
    error,
  };
}

async function main(jobs: string, results: string): Promise<void> {
  const attempts = JSON.parse(readFileSync(jobs, 'utf8')) as MtlsAttempt[];
  const done: MtlsResult[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < attempts.length; i = next++) done[i] = await attemptOnce(attempts[i]!);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  writeFileSync(results, JSON.stringify(done));
}

if (process.argv[2] !== undefined && process.argv[3] !== undefined && import.meta.main) {
  await main(process.argv[2], process.argv[3]);
}
