import { spawn } from 'node:child_process';

/** What `openssl s_client` says about one connection. */
export interface OpensslAnswer {
  /** Common name of the server's certificate, or ''. */
  readonly subject: string;
  readonly alpn: string;
  /** `TLSv1.3`, or '' without a handshake. */
  readonly version: string;
  readonly cipher: string;
  readonly reused: boolean;
  readonly text: string;
}

/**
 * Connects with OpenSSL's client. `input` is written to it once it is connected, each entry as it comes; it ends by itself
 * when the handshake is over and nothing is to be written, or the server ends the connection, else after `settleMs` without
 * further output.
 */
export function opensslClient(
  port: number,
  args: readonly string[],
  input: readonly string[] = [],
  settleMs = 2000,
): Promise<OpensslAnswer> {
  return new Promise((resolve, reject) => {
    const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...args]);
    let text = '';
    let written = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const gather = (chunk: Buffer): void => {
      text += chunk.toString();
      if (input.length === 0) {
        if (text.includes('---\n') && /Verify return code|read:errno/.test(text)) child.stdin.end();
        return;
      }
      if (!written && text.includes('Verify return code')) {
        written = true;
        for (const line of input) child.stdin.write(line);
      }
      if (!written) return; // however long the handshake takes
      clearTimeout(timer);
      timer = setTimeout(() => child.kill(), settleMs);
    };
    child.stdout.on('data', gather);
    child.stderr.on('data', gather);
    child.stdin.on('error', () => {});
    child.on('error', reject);
    child.on('close', () => {
      clearTimeout(timer);
      const [, reuse = '', version = '', cipher = ''] = /(New|Reused), (\S+), Cipher is (\S+)/.exec(text) ?? [];
      resolve({
        subject: /subject=.*?CN ?= ?(\S+)/.exec(text)?.[1] ?? '',
        alpn: /ALPN protocol: (\S+)/.exec(text)?.[1] ?? '',
        version: version === '(NONE)' ? '' : version,
        cipher: cipher === '(NONE)' ? '' : cipher,
        reused: reuse === 'Reused',
        text,
      });
    });
  });
}
