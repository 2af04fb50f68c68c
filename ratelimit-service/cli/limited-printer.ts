import type { CommandOutput } from '#gateway/base/command-line/command-output.ts';
import { printable } from '#gateway/base/printable.ts';
import type { LimitedListener } from '../simulate/log-replayer.ts';
import { timeText } from '../simulate/log-time.ts';
import type { SimulationOptions } from '../simulate/simulate-log.ts';

/** As many characters are written at once. */
const chunkLength = 65_536;

/** Prints limited requests as they are found. */
export interface LimitedPrinter {
  readonly onLimited: LimitedListener;
  /** Resolves when what was written has been taken: a log may limit more than fits into memory. */
  readonly drained: () => Promise<void>;
  /** Writes what is left. */
  flush(): void;
}

/** One line for each limited request, as text or JSON. */
export function limitedPrinter(
  { logs, configs }: Pick<SimulationOptions, 'logs' | 'configs'>,
  json: boolean,
  output: CommandOutput,
): LimitedPrinter {
  let waiting = '';
  const write = (line: string): void => {
    waiting += `${line}\n`;
    if (waiting.length < chunkLength) return;
    output.write(waiting);
    waiting = '';
  };
  return {
    onLimited(configuration, { file, line }, timeUs, refusals) {
      const log = logs[file]!;
      const time = timeText(timeUs);
      if (json) {
        const config = configs.length > 1 ? { config: configs[configuration]!.name } : {};
        const why = refusals.map(({ resetSeconds, ...rest }) => ({ ...rest, reset_seconds: resetSeconds }));
        write(JSON.stringify({ limited: { log, line, time, ...config, by: why } }));
        return;
      }
      const which = configs.length > 1 ? `${configuration === 0 ? 'first' : 'second'} ` : '';
      for (const { rule, key, limit, remaining, resetSeconds } of refusals) {
        const shown = `${printable(rule)} (${limit}) ${printable(key)}`;
        write(`${which}${log}:${line} ${time} ${shown} remaining ${remaining}, reset in ${resetSeconds}s`);
      }
    },
    drained: async () => await output.drained?.(),
    flush() {
      if (waiting !== '') output.write(waiting);
      waiting = '';
    },
  };
}
