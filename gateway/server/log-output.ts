import { LogRegistry } from '#gateway/base/log.ts';
import { AppendFile } from '#gateway/runtime/append-file.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import { processId, writeStderr } from '#gateway/runtime/process.ts';
import type { LogLineFormat } from './log-format.ts';
import { type LogOutput, ServerLogSink } from './log-sink.ts';
import type { ServerOptions } from './options.ts';

/** Lines kept for a log file that is slow; older ones are dropped. */
const maxWaitingOctets = 4 * 1024 * 1024;

class FileOutput implements LogOutput {
  readonly #file: AppendFile;
  #waiting = '';
  #writing = false;

  constructor(file: AppendFile) {
    this.#file = file;
  }

  /** Opens the path anew; when that fails the old file stays in use. */
  reopen(): void {
    try {
      this.#file.reopen();
    } catch (error) {
      this.write(`cannot reopen the log: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }

  write(text: string): void {
    if (this.#waiting.length > maxWaitingOctets) this.#waiting = '';
    this.#waiting += text;
    if (!this.#writing) this.#flush();
  }

  #flush(): void {
    const text = this.#waiting;
    if (text === '') return;
    this.#waiting = '';
    this.#writing = true;
    this.#file.append(text, () => {
      this.#writing = false;
      this.#flush();
    });
  }
}

/** Envoy's names of the loggers that exist from the start, so that POST /logging lists them. */
const components = [
  'admin',
  'config',
  'connection',
  'conn_handler',
  'dns',
  'ext_authz',
  'file',
  'filter',
  'grpc',
  'hc',
  'http',
  'http2',
  'init',
  'jwt',
  'lua',
  'main',
  'misc',
  'oauth2',
  'pool',
  'rbac',
  'router',
  'runtime',
  'secret',
  'stats',
  'tcp_proxy',
  'upstream',
];

/** The loggers, and how their file is opened anew. */
export interface ServerLogs {
  readonly logs: LogRegistry;
  reopen(): void;
}

/** Makes the loggers as the options say. Throws the system's error when `--log-path` cannot be opened. */
export function createLogs(options: ServerOptions, format: LogLineFormat, clock: Clock): ServerLogs {
  const file = options.logPath === '' ? null : new FileOutput(new AppendFile(options.logPath));
  const output: LogOutput = file ?? { write: (text) => writeStderr(text) };
  const sink = new ServerLogSink(format, output, clock, processId(), options.logFormatEscaped);
  const logs = new LogRegistry(sink, options.logLevel);
  for (const component of components) logs.get(component);
  for (const [component, level] of options.componentLogLevels) logs.get(component).setLevel(level);
  return { logs, reopen: () => file?.reopen() };
}
