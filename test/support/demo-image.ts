import { existsSync, readFileSync } from 'node:fs';
import type { Test } from 'tap';
import { engineApi, type EngineApi } from './engine-api.js';
import { tarOf } from './tar.js';

const busyboxPaths = ['/bin/busybox', '/usr/bin/busybox'];

/** Commands that tests use; busybox looks at the name by which it is called. */
const applets = [
  'sh', 'ash', 'true', 'false', 'echo', 'cat', 'ls', 'sleep', 'id', 'env', 'hostname', 'ps', 'kill',
  'mount', 'umount', 'df', 'du', 'head', 'tail', 'wc', 'grep', 'sed', 'awk', 'sort', 'yes', 'seq',
  'date', 'dd', 'touch', 'mkdir', 'rm', 'rmdir', 'cp', 'mv', 'ln', 'chmod', 'chown', 'stat',
  'readlink', 'test', 'expr', 'printf', 'ip', 'ifconfig', 'route', 'ping', 'nslookup', 'nc', 'wget',
  'httpd', 'traceroute', 'tty', 'stty', 'trap', 'ulimit', 'uname', 'whoami', 'tar', 'gzip',
  'gunzip', 'sha256sum', 'md5sum', 'od', 'hexdump', 'xxd', 'top', 'free', 'uptime', 'sync', 'nproc',
  'pwd', 'usleep', 'timeout', 'mknod', 'find', 'xargs', 'tee', 'tr', 'cut',
];

/** Debian's static busybox; throws with what to install when it is missing. */
function busybox(): Buffer {
  const path = busyboxPaths.find((candidate) => existsSync(candidate));
  if (path === undefined) throw new Error('busybox is missing: apt-get install busybox-static');
  return readFileSync(path);
}

/**
 * A root file system as a tar, ready for `docker import`: busybox under all its names, and /etc.
 */
export function demoRootfs(): Buffer {
  const directory = (name: string, mode = 0o755) => ({ name, type: '5', mode });
  return tarOf([
    ...['bin/', 'etc/', 'root/', 'proc/', 'sys/', 'dev/', 'var/', 'www/'].map((name) =>
      directory(name),
    ),
    directory('tmp/', 0o1777),
    { name: 'bin/busybox', mode: 0o755, content: busybox() },
    ...applets.map((name) => ({ name: `bin/${name}`, type: '2', link: 'busybox' })),
    {
      name: 'etc/passwd',
      mode: 0o644,
      content:
        'root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/:/bin/false\nuser:x:1000:1000::/:/bin/sh\n',
    },
    {
      name: 'etc/group',
      mode: 0o644,
      content: 'root:x:0:\ndaemon:x:1:\nuser:x:1000:\nextra:x:2000:user\n',
    },
    { name: 'www/index.html', mode: 0o644, content: 'Hello from a container of tsdocker.\n' },
  ]);
}

/** Imports the demo image under this name; throws when the engine refuses it. */
export async function importDemoImage(
  api: EngineApi,
  name = 'tsdocker-demo:latest',
): Promise<void> {
  const [repo = name, tag = 'latest'] = name.split(':');
  const changes = encodeURIComponent('CMD ["/bin/sh"]');
  const path = `/images/create?fromSrc=-&repo=${repo}&tag=${tag}&changes=${changes}`;
  const answer = await api.post(path, demoRootfs());
  if (answer.status !== 200 || answer.text.includes('"error"')) {
    throw new Error(`import of ${name}: ${answer.status} ${answer.text}`);
  }
}

/** As `importDemoImage`, on a daemon and a reference engine, where it goes when the test ends. */
export async function importOnBoth(
  t: Test,
  name: string,
  own: EngineApi,
  reference: string | undefined,
): Promise<void> {
  await importDemoImage(own, name);
  if (reference === undefined) return;
  const api = engineApi(reference);
  await importDemoImage(api, name);
  t.teardown(() => api.delete(`/images/${name}?force=1`));
}
