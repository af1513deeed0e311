/** A certificate authority of a test's own, and whom it knows. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** PEM texts of one party. */
export interface Party {
  readonly cert: string;
  readonly key: string;
}

/** The parties of mutual TLS, in a folder that goes with the test. */
export interface Certificates {
  /** `NAME.crt` and `NAME.key` of `ca`, `server` (for `localhost`), `client` and `stranger`. */
  readonly folder: string;
  /** `ca.pem`, `cert.pem` and `key.pem` of a party, as `DOCKER_CERT_PATH` wants them. */
  clientFolder(name: 'client' | 'stranger'): string;
  readonly ca: string;
  readonly server: Party;
  readonly client: Party;
  /** Signed by itself. */
  readonly stranger: Party;
}

/** Makes them by openssl. */
export function makeCertificates(t: { teardown(undo: () => void): void }): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'tsdocker-tls-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const openssl = (...words: string[]) =>
    execFileSync('openssl', words, { cwd: folder, stdio: 'ignore' });
  const fresh = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const make = (name: string, ...more: string[]) => {
    const files = ['-keyout', `${name}.key`, '-out', `${name}.crt`];
    openssl(...fresh, ...files, '-subj', `/CN=${name}`, ...more);
  };
  make('ca');
  make('stranger');
  for (const name of ['server', 'client']) {
    make(name, '-CA', 'ca.crt', '-CAkey', 'ca.key', '-addext', 'subjectAltName=DNS:localhost');
  }
  const read = (name: string): Party => ({
    cert: readFileSync(join(folder, `${name}.crt`), 'utf8'),
    key: readFileSync(join(folder, `${name}.key`), 'utf8'),
  });
  const clientFolder = (name: string): string => {
    const own = join(folder, name);
    mkdirSync(own, { recursive: true });
    copyFileSync(join(folder, 'ca.crt'), join(own, 'ca.pem'));
    copyFileSync(join(folder, `${name}.crt`), join(own, 'cert.pem'));
    copyFileSync(join(folder, `${name}.key`), join(own, 'key.pem'));
    return own;
  };
  return {
    folder,
    clientFolder,
    ca: read('ca').cert,
    server: read('server'),
    client: read('client'),
    stranger: read('stranger'),
  };
}
