import type { Settings } from './settings.ts';

type TlsSwitch = 'GRPC_SERVER_USE_TLS' | 'CONFIG_GRPC_XDS_SERVER_USE_TLS';

/** Files that mean nothing while their switch is off. */
const switched: Readonly<Record<TlsSwitch, readonly (keyof Settings)[]>> = {
  GRPC_SERVER_USE_TLS: ['GRPC_SERVER_TLS_CERT', 'GRPC_SERVER_TLS_KEY', 'GRPC_CLIENT_TLS_CACERT', 'GRPC_CLIENT_TLS_SAN'],
  CONFIG_GRPC_XDS_SERVER_USE_TLS: [
    'CONFIG_GRPC_XDS_CLIENT_TLS_CERT',
    'CONFIG_GRPC_XDS_CLIENT_TLS_KEY',
    'CONFIG_GRPC_XDS_SERVER_TLS_CACERT',
    'CONFIG_GRPC_XDS_SERVER_TLS_SAN',
  ],
};

/** TLS that somebody has prepared and that is off, each as a sentence: who thinks it is on should learn it. */
export function tlsNotices(settings: Pick<Settings, TlsSwitch> & Partial<Settings>): string[] {
  const notices: string[] = [];
  for (const [name, files] of Object.entries(switched)) {
    if (settings[name as TlsSwitch]) continue;
    for (const file of files) {
      if (settings[file] !== '') notices.push(`${file} has no effect: ${name} is not true`);
    }
  }
  return notices;
}
