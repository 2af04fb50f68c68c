import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { UpstreamPorts } from './proxies.ts';

/**
 * Starts nginx as the upstream, on the load generator's core: 64 octets at /small, files of 64 KiB and 1 MiB.
 */
export function startUpstream(nginx: string, dir: string, ports: UpstreamPorts, core: number): ChildProcess {
  const www = join(dir, 'www');
  mkdirSync(www, { recursive: true });
  writeFileSync(join(www, 'small'), 'x'.repeat(64));
  writeFileSync(join(www, '64k'), Buffer.alloc(64 * 1024, 'a'));
  writeFileSync(join(www, '1m'), Buffer.alloc(1024 * 1024, 'b'));
  const config = join(dir, 'upstream.conf');
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `  ${kind}_temp_path ${join(dir, `upstream-${kind}`)};`)
    .join('\n');
  writeFileSync(
    config,
    `worker_processes 1;
daemon off;
pid ${join(dir, 'upstream.pid')};
error_log ${join(dir, 'upstream.log')} error;
events { worker_connections 20000; }
http {
  access_log off;
  sendfile on;
  open_file_cache max=10;
  keepalive_requests 100000000;
  keepalive_timeout 300s;
${temp}
  server {
    listen 127.0.0.1:${ports.http1};
    listen 127.0.0.1:${ports.http2} http2;
    root ${www};
    default_type text/plain;
  }
}
`,
  );
  return spawn('taskset', ['-c', String(core), nginx, '-p', dir, '-c', config], { stdio: 'ignore' });
}
