import { Buffer } from 'node:buffer';
import { X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { connect } from 'node:tls';
import { type Command, jsonFlag, print } from '#gateway/base/command-line/command-group.ts';
import { exitCodes } from '#gateway/base/command-line/command-output.ts';
import type { GivenFlags } from '#gateway/base/command-line/flags.ts';
import { UsageError } from '#gateway/base/command-line/usage-error.ts';
import { peerChain } from '#gateway/runtime/tls-sockets.ts';
import { type CertificateFacts, chainProblem, describeCertificate, readCertificates } from '../ca/certificate-facts.ts';
import { CertificateError } from '../ca/issued-certificate.ts';
import { readSmallFile } from '../store/private-file.ts';
import { certificateText } from './certificate-text.ts';
import type { CommandContext } from './command.ts';
import { openStore, storeFlags } from './store-flags.ts';

/** A peer that takes longer for its handshake is not there, milliseconds. */
const handshakeMs = 10_000;

/** What is shown of one target; the members stay. */
export interface ShownChain {
  readonly source: string;
  readonly certificates: readonly CertificateFacts[];
  /** Why the certificates are no chain, each signed by the next; null when they are. */
  readonly chain_problem: string | null;
}

/** `show`: certificates as people read them. */
export const showCommand: Command<CommandContext> = {
  name: 'show',
  words: 'FILE|HOST:PORT|NAME...',
  summary: 'print a certificate of a file, a server or the directory',
  flags: [
    storeFlags[0]!,
    { name: 'server-name', value: 'NAME', help: 'name to ask a server for (SNI); the host' },
    jsonFlag,
  ],
  async run(given, context) {
    if (given.words.length === 0) throw new UsageError('which one? A file, host:port or a name with --dir');
    const nowMs = context.clock.wallMs();
    const shown: ShownChain[] = [];
    let failed = false;
    for (const target of given.words) {
      try {
        const chain = await chainOf(target, given, context);
        shown.push({
          source: target,
          certificates: chain.map((certificate) => describeCertificate(certificate, nowMs)),
          chain_problem: chainProblem(chain),
        });
      } catch (error) {
        if (!(error instanceof CertificateError)) throw error;
        failed = true;
        context.output.error(`certs show: ${target}: ${error.message}\n`);
      }
    }
    if (shown.length > 0) {
      print(given, context.output, shown, () => shown.map((chain) => certificateText(chain, nowMs)).join('\n'));
    }
    return failed ? exitCodes.failed : exitCodes.ok;
  },
};

async function chainOf(target: string, given: GivenFlags, context: CommandContext): Promise<X509Certificate[]> {
  if (existsSync(target)) return readCertificates(readSmallFile(target)!);
  const directory = given.text('dir') ?? context.variable('SLUICE_CERTS_DIR');
  if (directory !== null && /^[A-Za-z0-9._-]+$/.test(target)) {
    const stored = openStore(directory).loadCertificate(target);
    if (stored !== null) return readCertificates(Buffer.from(stored));
  }
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:/\s]+)):([0-9]{1,5})$/.exec(target);
  if (match !== null)
    return await fromServer(match[1] ?? match[2]!, Number(match[3]), given.text('server-name'), context);
  throw new CertificateError(
    directory === null
      ? 'there is no such file, and it is not host:port'
      : `there is no such file, no such name in ${directory}, and it is not host:port`,
  );
}

async function fromServer(
  host: string,
  port: number,
  serverName: string | null,
  context: CommandContext,
): Promise<X509Certificate[]> {
  if (port === 0 || port > 65_535) throw new CertificateError(`${port} is not a port`);
  return await new Promise((resolve, reject) => {
    const isName = !/^[0-9.]+$|:/.test(host);
    const name = serverName ?? (isName ? host : null);
    const socket = connect({ host, port, rejectUnauthorized: false, ...(name === null ? {} : { servername: name }) });
    const fail = (message: string): void => {
      socket.destroy();
      reject(new CertificateError(message));
    };
    const timer = context.timers.create({ onTimer: () => fail('no TLS handshake within ten seconds') });
    timer.enable(handshakeMs);
    socket.on('close', () => timer.disable());
    socket.on('error', (error) => fail(error.message));
    socket.on('secureConnect', () => {
      const chain = peerChain(socket).map((raw) => new X509Certificate(raw));
      socket.destroy();
      if (chain.length === 0) reject(new CertificateError('the server showed no certificate'));
      else resolve(chain);
    });
  });
}
