import { allPorts, type DemoSettings } from './settings.ts';

/** How the YAML files name the data directory. */
const standardData = '.sluice/front-proxy/';

/** The configuration that is run: the file with the ports and the data directory that are in use. */
export function effectiveConfig(yaml: string, settings: DemoSettings): string {
  const numbers = new Map(allPorts(settings).map(({ standard, port }) => [standard, port]));
  return yaml
    .replaceAll(/\b(port_value|port_redirect): (\d+)/g, (_all, field: string, digits: string) => {
      return `${field}: ${numbers.get(Number(digits)) ?? digits}`;
    })
    .replaceAll(
      new RegExp(`: ${standardData.replaceAll('.', '\\.')}(\\S+?)( \\}|$)`, 'gm'),
      (_all, path: string, end: string) => {
        return `: ${JSON.stringify(`${settings.data}/${path}`)}${end}`;
      },
    );
}
