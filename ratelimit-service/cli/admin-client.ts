import { isIP } from 'node:net';
import type { Flag, GivenFlags } from '#gateway/base/command-line/flags.ts';
import { UsageError } from '#gateway/base/command-line/usage-error.ts';
import { readBoundedFile } from '#gateway/runtime/files.ts';
import { firstToken } from '../admin/admin-tokens.ts';
import { fileFailure } from '../config/failure-text.ts';
import { type CommandContext, CommandFailure } from './command-context.ts';

const usualUrl = 'http://127.0.0.1:6070';

/** Environment variables instead of the flags. */
const urlVariable = 'SLUICE_RATELIMIT_URL';
const tokenVariable = 'SLUICE_RATELIMIT_TOKEN_FILE';

/** Longest wait for an answer, milliseconds. */
const answerMs = 10_000;

/** Longest token file, octets. */
const maxTokenOctets = 65_536;

/** Flags of the commands that ask a running service. */
export const adminFlags: readonly Flag[] = [
  {
    name: 'url',
    value: 'URL',
    help: `the debug port, or /ratelimit at a gateway's admin port (${urlVariable}, ${usualUrl})`,
  },
  { name: 'token-file', value: 'FILE', help: `a file with a token of its ADMIN_TOKEN_FILE (${tokenVariable})` },
];

/** Asks the debug port of a running service. */
export class AdminClient {
  readonly #url: string;
  readonly #token: string;

  /** Reads flags, variables and the token's file. Throws UsageError and CommandFailure. */
  constructor(given: GivenFlags, context: CommandContext) {
    const url = given.text('url') ?? context.variable(urlVariable) ?? usualUrl;
    if (!/^https?:\/\/[^/?#@]+(\/[^?#]*)?$/.test(url) || !URL.canParse(url)) {
      throw new UsageError(`--url ${url}: it must be http://HOST:PORT`);
    }
    this.#url = url.replace(/\/$/, '');
    const path = given.text('token-file') ?? context.variable(tokenVariable);
    if (path === null || path === '') throw new UsageError(`--token-file is missing, and ${tokenVariable} is not set`);
    this.#token = readToken(path);
    if (url.startsWith('http:') && !isLoopback(new URL(url).hostname)) {
      context.output.error(`note: ${url} is not this machine: whoever can read the network reads the token\n`);
    }
  }

  /** Sends a request and answers the JSON of its answer. Throws CommandFailure with the service's reason. */
  async ask(method: 'GET' | 'POST' | 'DELETE', path: string, body: object | null = null): Promise<unknown> {
    const { status, text } = await this.#fetch(method, path, body);
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw new CommandFailure(
        `${this.#url} answered ${status} and no JSON: is it the debug port of sluice ratelimit, or /ratelimit at a gateway's admin port?`,
      );
    }
    if (status === 200 || status === 201) return value;
    const { error } = (value ?? {}) as { error?: unknown };
    throw new CommandFailure(
      `${this.#url} answered ${status}: ${typeof error === 'string' ? error : 'without a reason'}`,
    );
  }

  async #fetch(method: string, path: string, body: object | null): Promise<{ status: number; text: string }> {
    try {
      const answer = await fetch(`${this.#url}/admin/${path}`, {
        method,
        redirect: 'error',
        signal: AbortSignal.timeout(answerMs),
        headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
        ...(body === null ? {} : { body: JSON.stringify(body) }),
      });
      return { status: answer.status, text: await answer.text() };
    } catch (error) {
      throw new CommandFailure(
        `${this.#url} does not answer: ${reasonOf(error)}. Is the service there, and DEBUG_PORT the port?`,
      );
    }
  }

  /** The lines of `/rlconfig`; none when it cannot be had. */
  async ruleLines(): Promise<readonly string[]> {
    try {
      const answer = await fetch(`${this.#url}/rlconfig`, { signal: AbortSignal.timeout(answerMs) });
      return (await answer.text()).split('\n');
    } catch {
      return [];
    }
  }
}

/** What runtimes say in words of their own, by what is in them. */
const reasons: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/ECONNREFUSED|connection refused/i, 'nobody listens there'],
  [/bad port|are blocked/i, 'the port is one of those that fetch never opens; choose another DEBUG_PORT'],
  [/ENOTFOUND|EAI_AGAIN|dns error/i, 'the name of the host is not known'],
  [/ECONNRESET|closed|hang up|unexpected message/i, 'the connection was closed'],
  [
    /TLS|SSL|EPROTO|wrong version|certificate|corrupt message/i,
    'it does not speak TLS there, or its certificate is not trusted',
  ],
];

/** Runtimes put the reason in the error or in its cause, as a code or in a sentence. */
function reasonOf(error: unknown): string {
  const { name, message, code, cause } = error as NodeJS.ErrnoException;
  if (name === 'TimeoutError') return `nothing came for ${answerMs / 1000} seconds`;
  const inner = cause as NodeJS.ErrnoException | undefined;
  const said = [code, message, inner?.code, inner?.message].join(' ');
  const known = reasons.find(([pattern]) => pattern.test(said));
  return known === undefined ? inner?.message || message : known[1];
}

function readToken(path: string): string {
  try {
    return firstToken(new TextDecoder().decode(readBoundedFile(path, maxTokenOctets)));
  } catch (error) {
    throw new CommandFailure(`--token-file ${path}: ${fileFailure(error)}`);
  }
}

function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '');
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
