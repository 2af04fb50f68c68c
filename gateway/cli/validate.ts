import type { Loaded } from '#gateway/config/load/load-message.ts';
import { exitProcess, writeStderr, writeStdout } from '#gateway/runtime/process.ts';
import { buildServer } from '#gateway/server/build-server.ts';
import type { InProcessServices } from '#gateway/server/in-process-services.ts';
import { describeAll, loadConfig } from '#gateway/server/load-config.ts';
import type { ServerOptions } from '#gateway/server/options.ts';
import type { Bootstrap } from '#proto-types/envoy/config/bootstrap/v3/bootstrap_pb.ts';

/**
 * Checks a configuration as a start would, without opening a port or asking the network. Prints every problem, one a line,
 * and ends the process: 0 when there is no error, else 1.
 */
export function validate(options: ServerOptions, services: InProcessServices): void {
  const config = loadConfig(options);
  if ('unreadable' in config) {
    writeStderr(`sluice: ${config.unreadable}\n`, () => exitProcess(1));
    return;
  }
  const judge = (): void => judgeAll(options, config, services);
  const loading = services.load(config.message.staticResources?.clusters ?? []);
  if (loading === null) judge();
  else loading.then(judge).catch((error: unknown) => writeStderr(`sluice: ${String(error)}\n`, () => exitProcess(1)));
}

function judgeAll(options: ServerOptions, config: Loaded<Bootstrap>, services: InProcessServices): void {
  const { diagnostics } = config;
  if (!diagnostics.failed) {
    buildServer({ ...options, mode: 'validate', logLevel: 'off', logPath: '' }, config, services);
  }
  const lines = describeAll(diagnostics);
  if (lines.length > 0) writeStderr(`${lines.join('\n')}\n`);
  if (diagnostics.failed) {
    const count = diagnostics.errors.length;
    writeStderr(`configuration is refused: ${count} error${count === 1 ? '' : 's'}\n`, () => exitProcess(1));
  } else {
    writeStdout(`configuration '${options.configPath}' OK\n`, () => exitProcess(0));
  }
}
