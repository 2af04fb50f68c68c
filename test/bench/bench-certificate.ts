import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createCertificate } from '../support/certificates.ts';

/** Writes `cert.pem`, `key.pem` and, for haproxy, `both.pem` of localhost (P-256, self-signed) into `dir`. */
export async function writeBenchCertificate(dir: string): Promise<void> {
  chmodSync(dir, 0o755); // nginx's worker runs as another user
  const { certificate, privateKey } = await createCertificate({
    name: 'localhost',
    sans: ['dns:localhost', 'ip:127.0.0.1'],
  });
  writeFileSync(join(dir, 'cert.pem'), certificate);
  writeFileSync(join(dir, 'key.pem'), privateKey, { mode: 0o600 });
  writeFileSync(join(dir, 'both.pem'), certificate + privateKey, { mode: 0o600 });
}
