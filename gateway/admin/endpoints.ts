import { certificateEndpoint } from './certificate-endpoint.ts';
import { clusterEndpoint } from './cluster-endpoint.ts';
import { configDumpEndpoint } from './config-dump-endpoint.ts';
import type { AdminEndpoint } from './endpoint.ts';
import { textReply } from './endpoint.ts';
import { homePage } from './home-page.ts';
import { serverEndpoints } from './server-endpoints.ts';
import { statsEndpoints } from './stats-endpoints.ts';

/** The list of commands, as /help and a wrong path answer it. */
function helpText(): string {
  let text = '';
  for (const { path, mutates, help, parameters } of adminEndpoints) {
    text += `  ${path}${mutates ? ' (POST)' : ''}: ${help}\n`;
    for (const parameter of parameters) text += `      ${parameter.name}: ${parameter.help}\n`;
  }
  return text;
}

/** What an unknown path answers. */
export function unknownPathText(): string {
  return `invalid path. admin commands are:\n${helpText()}`;
}

/** Every path of the admin interface, sorted. */
export const adminEndpoints: readonly AdminEndpoint[] = [
  {
    path: '/',
    mutates: false,
    help: 'Admin home page',
    parameters: [],
    handle: () => ({ status: 200, type: 'html', body: homePage(adminEndpoints) }) as const,
  } satisfies AdminEndpoint,
  {
    path: '/help',
    mutates: false,
    help: 'print out list of admin commands',
    parameters: [],
    handle: () => textReply(`admin commands are:\n${helpText()}`),
  } satisfies AdminEndpoint,
  certificateEndpoint,
  clusterEndpoint,
  configDumpEndpoint,
  ...serverEndpoints,
  ...statsEndpoints,
].sort((a, b) => (a.path < b.path ? -1 : 1));
