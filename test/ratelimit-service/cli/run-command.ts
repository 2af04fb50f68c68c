import { runRateLimitCommand } from '#ratelimit/cli/run-command.ts';
import { VirtualWall } from '../support/virtual-wall.ts';

/** What a command did. */
export interface CommandRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `sluice ratelimit ARGS` in this process. */
export async function ratelimit(...args: string[]): Promise<CommandRun> {
  let out = '';
  let err = '';
  const output = {
    write: (text: string): void => {
      out += text;
    },
    error: (text: string): void => {
      err += text;
    },
  };
  const code = await runRateLimitCommand(args, { output, clock: new VirtualWall(), variable: () => null });
  return { code, out, err };
}
