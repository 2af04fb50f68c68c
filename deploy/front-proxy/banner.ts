import { join } from 'node:path';
import { type DemoSettings, portFor } from './settings.ts';

/** What is printed once everything runs: what is where, and what to try. */
export function banner(settings: DemoSettings): string {
  const { http, httpAlt, https, admin, data } = settings;
  const plain = `localhost:${http.port}`;
  const ca = join(data, 'certs', 'ca.crt');
  const internal = (standard: number): string => `127.0.0.1:${portFor(settings, standard)}`;
  const standardData = data === settings.standardData;
  const mint = `${standardData ? '' : `SLUICE_DEMO_DATA=${data} `}npm run -s mint-jwt`;
  const front = settings.envoy === '' ? 'sluice' : 'Envoy';
  const store = settings.redisUrl === '' ? 'counters in memory' : 'counters in Redis';
  return `
sluice front proxy is running.

  front gateway   ${front}: http ${http.port} and ${httpAlt.port}, https ${https.port}, admin 127.0.0.1:${admin.port}
  service 1       sidecar ${internal(18201)} (HTTP/2) -> app ${internal(18221)}
  service 2       sidecar ${internal(18202)} (HTTP/2) -> app ${internal(18222)}
  flaky backend   ${internal(18205)} fails every other request, ${internal(18206)} does not
  certificates    SDS ${internal(18203)}, own authority: ${ca}
  rate limits     gRPC ${internal(18204)}, ${store}
  logs and keys   ${data}

Try:

  curl ${plain}/service/1
  curl localhost:${httpAlt.port}/service/2
  curl --cacert ${ca} https://localhost:${https.port}/service/1
  curl -i ${plain}/secure                                # redirects to HTTPS
  curl -i ${plain}/private                               # 401
  curl -H "Authorization: Bearer $(${mint})" ${plain}/private
  for i in 1 2 3 4 5 6; do curl -si ${plain}/limited | grep -iE '^HTTP|^x-ratelimit'; done
  for i in 1 2 3 4 5 6; do curl -s ${plain}/flaky; done
  curl -s 127.0.0.1:${admin.port}/clusters | grep '^flaky.*health_flags'
  curl -X POST ${internal(18207)}/rotate                 # a new certificate, at once

Ctrl-C stops everything.
`;
}
