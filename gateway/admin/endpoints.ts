import type { AdminServices } from './admin-services.ts';
import { certificateEndpoint } from './certificate-endpoint.ts';
import { clusterEndpoint } from './cluster-endpoint.ts';
import { configDumpEndpoint } from './config-dump-endpoint.ts';
import type { AdminEndpoint } from './endpoint.ts';
import { textReply } from './endpoint.ts';
import { homePage } from './home-page.ts';
import { serverEndpoints } from './server-endpoints.ts';
import { statsEndpoints } from './stats-endpoints.ts';

/** Where the pages of services in this process begin. */
function servicePages({ inProcess }: AdminServices): AdminEndpoint[] {
  return [...inProcess.keys()].map((name) => {
    const path = `/${name}/`;
    const help = `pages of the service '${name}' in this process`;
    return { path, mutates: false, help, parameters: [], handle: () => textReply('') };
  });
}

/** The list of commands, as /help and a wrong path answer it. */
function helpText(services: AdminServices): string {
  let text = '';
  for (const { path, mutates, help, parameters } of [...adminEndpoints, ...servicePages(services)]) {
    text += `  ${path}${mutates ? ' (POST)' : ''}: ${help}\n`;
    for (const parameter of parameters) text += `      ${parameter.name}: ${parameter.help}\n`;
  }
  return text;
}

/** What an unknown path answers. */
export function unknownPathText(services: AdminServices): string {
  return `invalid path. admin commands are:\n${helpText(services)}`;
}

/** Every path of the admin interface, sorted. */
export const adminEndpoints: readonly AdminEndpoint[] = [
  {
    path: '/',
    mutates: false,
    help: 'Admin home page',
    parameters: [],
    handle: (services) =>
      ({ status: 200, type: 'html', body: homePage([...adminEndpoints, ...servicePages(services)]) }) as const,
  } satisfies AdminEndpoint,
  {
    path: '/help',
    mutates: false,
    help: 'print out list of admin commands',
    parameters: [],
    handle: (services) => textReply(`admin commands are:\n${helpText(services)}`),
  } satisfies AdminEndpoint,
  certificateEndpoint,
  clusterEndpoint,
  configDumpEndpoint,
  ...serverEndpoints,
  ...statsEndpoints,
].sort((a, b) => (a.path < b.path ? -1 : 1));
