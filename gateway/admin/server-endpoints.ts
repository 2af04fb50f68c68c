import { type LogLevel, type LogRegistry, logLevels } from '#gateway/base/log.ts';
import { addressJson } from './cluster-endpoint.ts';
import { type AdminEndpoint, type AdminReply, jsonReply, queryFlag, textReply } from './endpoint.ts';

function readLevel(text: string): LogLevel | null {
  const level = text === 'warn' ? 'warning' : text;
  return (logLevels as readonly string[]).includes(level) ? (level as LogLevel) : null;
}

/** Changes levels as the query asks; a text says what is wrong with it. */
function changeLevels(logs: LogRegistry, query: URLSearchParams): string | null {
  for (const [name, value] of query) {
    const pairs = name === 'paths' || name === 'group' ? value.split(',') : [`${name}:${value}`];
    for (const pair of pairs) {
      const colon = pair.lastIndexOf(':');
      const level = readLevel(pair.slice(colon + 1));
      const target = pair.slice(0, colon);
      if (name === 'level' && value === '') continue;
      if (level === null) return `error: unknown logger level: ${pair.slice(colon + 1)}`;
      if (target === 'level') logs.setAll(level);
      else if (logs.all().some((logger) => logger.component === target)) logs.get(target).setLevel(level);
      else return `error: unknown logger name: ${target}`;
    }
  }
  return null;
}

const logging: AdminEndpoint = {
  path: '/logging',
  mutates: true,
  help: 'query/change logging levels',
  parameters: [
    { name: 'paths', help: 'Change levels of several loggers: <logger1>:<level1>,<logger2>:<level2>' },
    { name: 'level', help: `Change the level of all loggers; One of (${logLevels.join(', ')})` },
  ],
  handle({ logs }, query) {
    const problem = changeLevels(logs, query);
    if (problem !== null) {
      return textReply(
        `${problem}\nusage: /logging?<name>=<level> (change single level)\nusage: /logging?paths=name1:level1,name2:level2,... (change multiple levels)\nusage: /logging?level=<level> (change all levels)\nusage: /logging (list levels)\n`,
        400,
      );
    }
    return textReply(
      `active loggers:\n${logs
        .all()
        .map(({ component, level }) => `  ${component}: ${level}\n`)
        .join('')}\n`,
    );
  },
};

function endpoint(
  path: string,
  help: string,
  handle: AdminEndpoint['handle'],
  parameters: AdminEndpoint['parameters'] = [],
): AdminEndpoint {
  return { path, mutates: false, help, parameters, handle };
}

function action(
  path: string,
  help: string,
  act: (...args: Parameters<AdminEndpoint['handle']>) => AdminReply | undefined,
  parameters: AdminEndpoint['parameters'] = [],
): AdminEndpoint {
  return {
    path,
    mutates: true,
    help,
    parameters,
    handle: (services, query) => act(services, query) ?? textReply('OK\n'),
  };
}

/** What the server is, and what can be done with it. */
export const serverEndpoints: readonly AdminEndpoint[] = [
  endpoint('/ready', 'print server state, return 200 if LIVE, otherwise return 503', ({ state }) =>
    textReply(`${state}\n`, state === 'LIVE' ? 200 : 503),
  ),
  endpoint('/server_info', 'print server version/status information', (services) => jsonReply(services.serverInfo())),
  endpoint('/memory', 'print current allocation/heap usage', (services) => {
    const { heapUsed, heapTotal, resident } = services.memory();
    return jsonReply({
      allocated: String(heapUsed),
      heap_size: String(heapTotal),
      pageheap_unmapped: '0',
      pageheap_free: String(Math.max(0, heapTotal - heapUsed)),
      total_thread_cache: '0',
      total_physical_bytes: String(resident),
    });
  }),
  endpoint(
    '/listeners',
    'print listener info',
    (services, query) => {
      const views = services.listeners.listenerViews();
      const lines = views.flatMap(({ name, addresses }) => addresses.map((address) => ({ name, address })));
      if (query.get('format') !== 'json') {
        return textReply(lines.map(({ name, address }) => `${name}::${address.text}\n`).join(''));
      }
      return jsonReply({
        listener_statuses: views.map(({ name, addresses }) => ({
          name,
          ...(addresses[0] === undefined ? {} : { local_address: addressJson(addresses[0]) }),
          ...(addresses.length < 2 ? {} : { additional_local_addresses: addresses.slice(1).map(addressJson) }),
        })),
      });
    },
    [{ name: 'format', help: 'File format to use; One of (text, json)' }],
  ),
  endpoint('/hot_restart_version', 'print the hot restart compatibility version', () => textReply('disabled')),
  endpoint('/init_dump', 'print what initialization waits for', ({ unreadyTargets }) =>
    jsonReply(
      unreadyTargets.length === 0
        ? {}
        : { unready_targets_dumps: [{ name: 'init manager Server', target_names: unreadyTargets }] },
    ),
  ),
  endpoint('/runtime', 'print runtime values', (services) => jsonReply(services.runtime())),
  action(
    '/runtime_modify',
    'Adds or modifies runtime values as passed in query parameters; an empty value deletes an override',
    (services, query) => {
      if ([...query].length === 0) {
        return textReply('usage: /runtime_modify?key1=value1&key2=value2&keyN=valueN\n', 400);
      }
      return services.modifyRuntime(new Map(query)) ? undefined : textReply('No admin layer specified\n', 503);
    },
  ),
  logging,
  action('/healthcheck/fail', 'cause the server to fail health checks', (services) => {
    services.failHealthChecks(true);
    return undefined;
  }),
  action('/healthcheck/ok', 'cause the server to pass health checks', (services) => {
    services.failHealthChecks(false);
    return undefined;
  }),
  action(
    '/drain_listeners',
    'drain listeners',
    (services, query) => {
      const graceful = queryFlag(query, 'graceful');
      const skipExit = queryFlag(query, 'skip_exit');
      services.drainListeners({ graceful, skipExit, inboundOnly: queryFlag(query, 'inboundonly') });
      return undefined;
    },
    [
      { name: 'graceful', help: 'Enter a graceful drain period prior to closing listeners' },
      { name: 'skip_exit', help: 'Drain the connections but never stop the listeners' },
      { name: 'inboundonly', help: 'Drains all inbound listeners' },
    ],
  ),
  action('/reopen_logs', 'reopen access logs', (services) => {
    services.logFiles.reopen();
    return undefined;
  }),
  action('/quitquitquit', 'exit the server', (services) => {
    services.quit();
    return undefined;
  }),
];
