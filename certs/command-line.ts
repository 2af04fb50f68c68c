import type { CertificateRequest } from './ca/certificate-request.ts';
import { isLoopback } from './loopback.ts';

/** `serve`: run the service. */
export interface ServeCommand {
  readonly command: 'serve';
  readonly directory: string;
  readonly listen: string;
  /** Address of the control interface, or null for none. */
  readonly control: string | null;
  readonly authorityName: string;
  readonly authorityLifetimeMs: number;
  readonly certificates: readonly CertificateRequest[];
}

/** `rotate`: ask a running service to issue anew. */
export interface RotateCommand {
  readonly command: 'rotate';
  readonly control: string;
  readonly name: string | null;
}

/** What the command line asks for. */
export type CertificateCommand = ServeCommand | RotateCommand | { readonly command: 'help' };

/** A wrong command line. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError';
}

/** What `help` prints. */
export const usage = `usage: certs/main.ts serve --dir DIR --listen ADDRESS [--control ADDRESS] [--ca-name NAME] [--ca-lifetime TIME]
                      --name NAME [--dns NAME]... [--ip ADDRESS]... [--lifetime TIME] [--name ...]
       certs/main.ts rotate --control ADDRESS [--name NAME]

  --dir DIR          where the authority and the certificates are kept (made when missing, mode 0700)
  --listen ADDRESS   SDS over gRPC: 127.0.0.1:PORT, [::1]:PORT or unix:PATH
  --control ADDRESS  local HTTP interface: GET /certificates, POST /rotate
  --ca-name NAME     name of the validation_context secret (ca)
  --ca-lifetime TIME life of a new authority (3650d)
  --name NAME        begins a certificate, the tls_certificate secret of this name; the next three belong to it
  --dns NAME         DNS name of the certificate
  --ip ADDRESS       IP address of the certificate
  --lifetime TIME    its life, for example 90s, 45m, 24h, 7d (24h); it is renewed after two thirds
`;

const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Reads `90s`, `45m`, `24h`, `7d` as milliseconds. */
export function parseLifetime(text: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?)([smhd])$/.exec(text);
  if (match === null) throw new UsageError(`'${text}' is not a time such as 45m, 24h or 7d`);
  return Number(match[1]) * unitMs[match[2]!]!;
}

/** Reads the arguments after the program's name. Throws {@link UsageError}. */
export function parseCommandLine(args: readonly string[]): CertificateCommand {
  const [command, ...rest] = args;
  if (command === undefined || command === 'help' || command === '--help') return { command: 'help' };
  if (command === 'serve') return parseServe(rest);
  if (command === 'rotate') return parseRotate(rest);
  throw new UsageError(`no command '${command}'`);
}

function* options(args: readonly string[]): Generator<[string, string]> {
  for (let i = 0; i < args.length; i += 2) {
    const value = args[i + 1];
    if (value === undefined) throw new UsageError(`${args[i]} needs a value`);
    yield [args[i]!, value];
  }
}

function parseServe(args: readonly string[]): ServeCommand {
  let directory = '';
  let listen = '';
  let control: string | null = null;
  let authorityName = 'ca';
  let authorityLifetimeMs = parseLifetime('3650d');
  const certificates: { name: string; dns: string[]; ip: string[]; lifetimeMs: number }[] = [];
  const current = (option: string): { dns: string[]; ip: string[]; lifetimeMs: number } => {
    const last = certificates.at(-1);
    if (last === undefined) throw new UsageError(`${option} must come after --name`);
    return last;
  };
  for (const [option, value] of options(args)) {
    if (option === '--dir') directory = value;
    else if (option === '--listen') listen = requireLocal(option, value);
    else if (option === '--control') control = requireLocal(option, value);
    else if (option === '--ca-name') authorityName = value;
    else if (option === '--ca-lifetime') authorityLifetimeMs = parseLifetime(value);
    else if (option === '--name') certificates.push({ name: value, dns: [], ip: [], lifetimeMs: parseLifetime('24h') });
    else if (option === '--dns') current(option).dns.push(value);
    else if (option === '--ip') current(option).ip.push(value);
    else if (option === '--lifetime') current(option).lifetimeMs = parseLifetime(value);
    else throw new UsageError(`no option '${option}'`);
  }
  if (directory === '') throw new UsageError('--dir is missing');
  if (listen === '') throw new UsageError('--listen is missing');
  return { command: 'serve', directory, listen, control, authorityName, authorityLifetimeMs, certificates };
}

function parseRotate(args: readonly string[]): RotateCommand {
  let control = '';
  let name: string | null = null;
  for (const [option, value] of options(args)) {
    if (option === '--control') control = requireLocal(option, value);
    else if (option === '--name') name = value;
    else throw new UsageError(`no option '${option}'`);
  }
  if (control === '') throw new UsageError('--control is missing');
  return { command: 'rotate', control, name };
}

function requireLocal(option: string, address: string): string {
  if (isLoopback(address)) return address;
  throw new UsageError(
    `${option} ${address}: private keys are served here, so it must be a loopback address or unix:PATH`,
  );
}
