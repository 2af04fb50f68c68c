import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findPeer } from '#test/support/peers.ts';
import { startRedis } from '#test/support/redis.ts';
import { startService } from './running-service.ts';

/** What the reference makes of a configuration. */
export interface LoadedByReference {
  /** Its error's text, or null. */
  readonly error: string | null;
  /** The lines of its /rlconfig, sorted; of the configuration before when there is an error. */
  readonly rules: readonly string[];
}

/** The reference service, given one configuration after the other. */
export interface ReferenceLoader {
  /** Loads these files, by name. */
  load(files: Readonly<Record<string, string | Uint8Array>>): Promise<LoadedByReference>;
  close(): Promise<void>;
}

/** Starts the reference on a link that is swapped for every configuration. */
export async function startReferenceLoader(
  reference: string,
  env: Readonly<Record<string, string>> = {},
): Promise<ReferenceLoader> {
  const work = mkdtempSync(join(tmpdir(), 'sluice-rl-load-'));
  const root = join(work, 'current');
  let number = 0;
  const put = (files: Readonly<Record<string, string | Uint8Array>>): void => {
    const folder = join(work, `set-${++number}`);
    mkdirSync(join(folder, 'rl', 'config'), { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'rl', 'config', name), text);
    symlinkSync(folder, `${root}-${number}`);
    renameSync(`${root}-${number}`, root);
  };
  put({ 'first.yaml': 'domain: first' });
  const redis = await startRedis(findPeer('redis-server')!);
  const { program, debug } = await startService([reference], root, redis.port, {
    LOG_LEVEL: 'INFO',
    LOG_FORMAT: 'json',
    ...env,
  });
  const told: string[] = [];
  let read = 0;
  const outcomes = (): readonly string[] => {
    const output = program.output();
    for (let end = output.indexOf('\n', read); end !== -1; end = output.indexOf('\n', read)) {
      const line = output.slice(read, end);
      read = end + 1;
      if (!line.startsWith('{')) continue;
      const message = (JSON.parse(line) as { readonly '@message': string })['@message'];
      if (/^(Successfully loaded new|Error loading new) configuration/.test(message)) told.push(message);
    }
    return told;
  };
  await program.until(() => outcomes().length === 1);
  return {
    async load(files): Promise<LoadedByReference> {
      const before = outcomes().length;
      put(files);
      await program.until(() => outcomes().length > before);
      const error = /^Error loading new configuration: (.*)$/s.exec(outcomes().at(-1)!);
      const text = await (await fetch(`http://127.0.0.1:${debug}/rlconfig`)).text();
      return { error: error === null ? null : error[1]!, rules: text.split('\n').sort() };
    },
    async close(): Promise<void> {
      await program.stop();
      await redis.program.stop();
      rmSync(work, { recursive: true, force: true });
    },
  };
}
