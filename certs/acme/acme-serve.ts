import { exitCodes } from '#gateway/base/command-line/command-output.ts';
import type { IssuedCertificate } from '../ca/issued-certificate.ts';
import { SdsServer } from '../sds/sds-server.ts';
import { SecretResources, tlsCertificateSecret } from '../sds/secret-resources.ts';
import { asAcmeError } from './acme-error.ts';
import type { AcmeJob } from './acme-jobs.ts';
import { openAcme } from './open-acme.ts';
import { writeCertificate } from './write-certificate.ts';

/** `serve`: keeps certificates, answers challenges, and hands the certificates out by SDS until `stopped`. */
export async function serveCommand(job: AcmeJob, stopped: Promise<void>): Promise<number> {
  const { options, output, surroundings } = job;
  const { log } = surroundings;
  const acme = await openAcme(options, surroundings);
  const closers: (() => Promise<void> | void)[] = [() => acme.close()];
  try {
    const resources = new SecretResources();
    const onCertificate = (name: string, certificate: IssuedCertificate): void => {
      resources.set(tlsCertificateSecret(name, certificate));
      try {
        if (options.writeTo !== null) writeCertificate(options.writeTo, name, certificate);
      } catch (error) {
        log.error(`certificate '${name}': ${asAcmeError(error).message}`);
      }
    };
    let sdsPort = 0;
    if (options.listen !== null) {
      const server = new SdsServer(resources, log);
      closers.push(() => server.close());
      sdsPort = await server.listen(options.listen);
      log.info(`SDS on ${options.listen}${sdsPort === 0 ? '' : `, port ${sdsPort}`}`);
    }
    await acme.source.start({ onCertificate });
    if (options.json) {
      const ports = { sds_port: sdsPort, http_port: acme.servers.httpPort, tls_port: acme.servers.tlsPort };
      output.write(`${JSON.stringify(ports)}\n`);
    }
    await stopped;
    return exitCodes.ok;
  } finally {
    for (const close of closers.reverse()) await close();
  }
}
