/** The bounds of `docs/builds.md` that are of files: at them it goes on, beyond it is refused. */
import { mkdirSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { test } from 'tap';
import { fetchFile } from '../../daemon/build/remote/fetch.js';
import { cloneRepository } from '../../daemon/build/remote/git.js';
import { buildOn } from '../support/builds.js';
import { until } from '../support/containers.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { makeRepository, serveHttp } from '../support/http-files.js';

const miB = 2 ** 20;
const base = 'FROM tsdocker-demo\n';

async function world(t: Test): Promise<TestDaemon> {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  return daemon;
}

/** Processes that work in a folder, or below it. */
function workingIn(folder: string): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/cwd`).startsWith(folder);
    } catch (error) {
      // It has ended meanwhile.
      if (error instanceof Error) return false;
      throw error;
    }
  });
}

test('a Dockerfile and a .dockerignore have 2 MiB at most', async (t) => {
  const { socket, dataRoot } = await world(t);
  const filled = (text: string, bytes: number): string => text.padEnd(bytes - 1, '#') + '\n';
  const build = (sizes: readonly [number, number]) =>
    buildOn(socket, {
      files: {
        Dockerfile: filled(`${base}COPY kept /\n# `, sizes[0]),
        '.dockerignore': filled('gone\n# ', sizes[1]),
        kept: '',
      },
    });
  t.match((await build([2 * miB, 2 * miB])).text, 'Successfully built');
  t.match(await build([2 * miB + 1, 100]), { status: 400, text: 'Dockerfile is too large' });
  t.match(await build([100, 2 * miB + 1]), { status: 400, text: '.dockerignore is too large' });
  t.same(readdirSync(join(dataRoot, 'build', 'builds')), []);
});

test('a URL gives 16 GiB at most: what announces more is not even read', async (t) => {
  const daemon = await world(t);
  const server = await serveHttp(t);
  const sizes = [16 * 2 ** 30 + 1, Number.MAX_SAFE_INTEGER];
  for (const size of sizes) {
    server.serve('/big', (response) => {
      response.writeHead(200, { 'Content-Length': String(size) });
      response.write('FROM x');
    });
    const query = { remote: `${server.url}/big` };
    const answer = await buildOn(daemon.socket, { files: {}, query });
    t.match(answer.text, /\/big is larger than 17179869184 bytes/);
    const Dockerfile = `${base}ADD ${server.url}/big /\n`;
    const added = await buildOn(daemon.socket, { files: { Dockerfile } });
    t.match(added.lines.at(-1)?.error, /\/big is larger than 17179869184 bytes/);
  }
  t.same(readdirSync(join(daemon.dataRoot, 'build', 'builds')), []);
});

test('what announces nothing is read to the bound and no further', async (t) => {
  const server = await serveHttp(t);
  const folder = t.testdir({ fits: {}, more: {}, endless: {} });
  const { signal } = new AbortController();
  const fetch = (path: string) =>
    fetchFile({
      url: `${server.url}/${path}`, folder: join(folder, path), checksum: '', signal,
      maxBytes: 3 * miB,
    });
  server.serve('/fits', (response) => response.write(Buffer.alloc(3 * miB), () => response.end()));
  server.serve('/more', (response) =>
    response.write(Buffer.alloc(3 * miB + 1), () => response.end()),
  );
  let sent = 0;
  server.serve('/endless', (response) => {
    const go = (): void => {
      if (response.destroyed) return;
      sent += miB;
      response.write(Buffer.alloc(miB), () => setImmediate(go));
    };
    go();
  });
  t.equal(await fetch('fits'), 'fits');
  const more = { kind: 'TooLarge', message: /more is larger than 3145728 bytes/ };
  await t.rejects(fetch('more'), more);
  await t.rejects(fetch('endless'), { kind: 'TooLarge', message: /endless is larger/ });
  t.ok(sent < 512 * miB, 'who is not listened to stops');
});

test('a repository gives so many bytes at most, and git goes with what it started', async (t) => {
  const folder = t.testdir({ repositories: {} });
  const repositories = join(folder, 'repositories');
  // Small on the way, large once it is there.
  makeRepository(join(repositories, 'r.git'), {
    zeros: '\0'.repeat(48 * miB), Dockerfile: 'FROM scratch\n',
  });
  const server = await serveHttp(t, repositories);
  const { signal } = new AbortController();
  const clone = (name: string, maxBytes: number): Promise<string> => {
    const into = join(folder, name);
    mkdirSync(into);
    const url = `${server.url}/r.git`;
    const request = { url, folder: into, keepGitDir: false, checksum: '' };
    return cloneRepository({ ...request, signal, maxBytes });
  };
  t.match(readdirSync(await clone('fits', 64 * miB)), ['Dockerfile', 'zeros']);
  await t.rejects(clone('more', 32 * miB), {
    kind: 'TooLarge', message: /r\.git is larger than 33554432 bytes/,
  });
  t.same(workingIn(join(folder, 'more')), []);
});

test('a repository that never answers is left when the build is, with git', async (t) => {
  const daemon = await world(t);
  const server = await serveHttp(t);
  server.serve('/r.git/info/refs', (response) => response.writeHead(200).write('0'));
  const builds = join(daemon.dataRoot, 'build', 'builds');
  const query = { remote: `${server.url}/r.git`, buildid: 'mine' };
  const building = buildOn(daemon.socket, { files: {}, query });
  building.catch(() => undefined);
  await until('git asks', () => Promise.resolve(server.asked.includes('/r.git/info/refs')));
  t.ok(workingIn(builds).length > 0);
  t.equal((await daemon.api.post('/build/cancel?id=mine')).status, 200);
  await building.catch((error: unknown) => t.comment(String(error)));
  await until('git is gone', () => Promise.resolve(workingIn(daemon.dataRoot).length === 0));
  await until('so is its folder', () => Promise.resolve(readdirSync(builds).length === 0));
});
