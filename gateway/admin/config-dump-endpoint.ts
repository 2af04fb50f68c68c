import type { JsonValue } from '@bufbuild/protobuf';
import { typeUrlOf } from '#gateway/proto/registry.ts';
import { type AdminEndpoint, jsonReply, queryFlag, textReply } from './endpoint.ts';
import { nameFilter } from './name-filter.ts';
import { redactedJson } from './redact.ts';

type Json = { [key: string]: JsonValue };

/** Name of a dumped element: its own, or that of the resource in it. */
function elementName(element: JsonValue): string {
  if (element === null || typeof element !== 'object' || Array.isArray(element)) return '';
  const own = element['name'] ?? element['cluster_name'];
  if (typeof own === 'string') return own;
  for (const value of Object.values(element)) {
    const inner = elementName(value);
    if (inner !== '') return inner;
  }
  return '';
}

/** /config_dump. Secrets are never in it. */
export const configDumpEndpoint: AdminEndpoint = {
  path: '/config_dump',
  mutates: false,
  help: 'dump current configs, secrets redacted',
  parameters: [
    { name: 'resource', help: 'The resource to dump: static_clusters, dynamic_listeners, ...' },
    { name: 'name_regex', help: 'Dump only the configurations whose names match the specified regex' },
    { name: 'include_eds', help: 'Dump currently loaded configuration including EDS' },
  ],
  handle(services, query) {
    if (query.has('mask')) return textReply('mask is not supported\n', 400);
    const pattern = query.get('name_regex');
    const filter = nameFilter(new URLSearchParams(pattern === null ? {} : { filter: pattern }));
    if (filter !== null && typeof filter === 'object') return textReply(`${filter.error}\n`, 400);
    const dumps: Json[] = services
      .configDump(queryFlag(query, 'include_eds'))
      .map((message) => ({ '@type': typeUrlOf(message.$typeName), ...(redactedJson(message) as Json) }));
    const resource = query.get('resource');
    if (resource !== null) {
      const found = dumps.map((dump) => dump[resource]).find(Array.isArray);
      if (found === undefined) return textReply(`${resource} not found in config dump\n`, 404);
      return jsonReply({ configs: found.filter((item) => filter === null || filter(elementName(item))) });
    }
    if (filter !== null) {
      for (const dump of dumps) {
        for (const [key, value] of Object.entries(dump)) {
          if (Array.isArray(value)) dump[key] = value.filter((item) => filter(elementName(item)));
        }
      }
    }
    return jsonReply({ configs: dumps });
  },
};
