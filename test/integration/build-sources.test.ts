/** Contexts and files that a build fetches: URLs and repositories, honest and hostile ones. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { test } from 'tap';
import { gzipSync } from 'node:zlib';
import { buildOn, contextOf, filesOf, type BuildAnswer } from '../support/builds.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { makeRepository, serveHttp, type HttpFiles } from '../support/http-files.js';
import { buildImage } from '../support/image-builder.js';
import { startLyingRegistry } from '../support/lying-registry.js';
import { tarOf } from '../support/tar.js';

const base = 'FROM tsdocker-demo\n';

interface World {
  readonly t: Test;
  readonly daemon: TestDaemon;
  readonly server: HttpFiles;
  /** Repositories lie below. */
  readonly folder: string;
}

async function world(t: Test): Promise<World> {
  const folder = t.testdir({});
  const server = await serveHttp(t, folder);
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  return { t, daemon, server, folder };
}

/** Its context is fetched; nothing is sent. */
async function remote({ t, daemon }: World, url: string, query = {}): Promise<BuildAnswer> {
  const answer = await buildOn(daemon.socket, { files: {}, query: { remote: url, ...query } });
  t.same(readdirSync(join(daemon.dataRoot, 'build', 'builds')), [], 'nothing is left');
  return answer;
}

const errorOf = ({ text, lines }: BuildAnswer): string => lines.at(-1)?.error ?? text;

test('a context comes from a URL: an archive, or a Dockerfile alone', async (t) => {
  const all = await world(t);
  const { server, daemon } = all;
  const files = { Dockerfile: `${base}COPY a /a\n`, other: `${base}COPY b /a\n`, a: 'A', b: 'B' };
  const tar = contextOf(files);
  server.serve('/c.tar', tar);
  server.serve('/c.tgz', gzipSync(tar));
  server.serve('/moved', (response) => response.writeHead(302, { Location: '/c.tar' }).end());
  server.serve('/Dockerfile', `${base}RUN echo alone\n`);
  for (const path of ['/c.tar', '/c.tgz', '/moved']) {
    const answer = await remote(all, `${server.url}${path}`, { t: 'r' });
    t.match(answer.text, 'Successfully built', path);
    t.match((await filesOf(daemon.socket, 'r')).get('a'), { content: 'A' }, path);
  }
  await remote(all, `${server.url}/c.tar`, { t: 'r', dockerfile: 'other' });
  t.match((await filesOf(daemon.socket, 'r')).get('a'), { content: 'B' }, 'another Dockerfile');
  t.match((await remote(all, `${server.url}/Dockerfile`)).text, 'alone\n');
});

test('a server that lies, fails or leaves is an error, and nothing stays', async (t) => {
  const all = await world(t);
  const { server } = all;
  server.serve('/out', (response) => response.writeHead(302, { Location: 'file:///etc' }).end());
  server.serve('/loop', (response) => response.writeHead(302, { Location: '/loop' }).end());
  server.serve('/cut', (response) => {
    response.writeHead(200, { 'Content-Length': '10000' });
    response.write('FROM x');
    setTimeout(() => response.destroy(), 50);
  });
  server.serve('/evil.tar', contextOf({ Dockerfile: base, '../../evil': 'x' }));
  const refused = async (url: string, why: RegExp): Promise<void> =>
    void t.match(errorOf(await remote(all, url)), why, url);
  await refused(`${server.url}/none`, /error downloading remote context .*404/);
  await refused(`${server.url}/out`, /unsupported protocol scheme/);
  await refused(`${server.url}/loop`, /stopped after 10 redirects/);
  await refused(`${server.url}/cut`, /error downloading remote context/);
  await refused(`${server.url}/evil.tar`, /Error processing tar file/);
  await refused('http://127.0.0.1:1/x', /error downloading remote context/);
  await refused('file:///etc/passwd', /unable to prepare context|not found/);
  await refused('/etc', /unable to prepare context/);
});

test('a context comes from a repository: branch, tag, commit, folder', async (t) => {
  const all = await world(t);
  const { server, folder, daemon } = all;
  const commit = makeRepository(join(folder, 'r.git'), {
    Dockerfile: `${base}COPY . /c/\n`,
    'sub/Dockerfile': `${base}COPY f /f\n`,
    'sub/f': 'F',
  });
  const url = `${server.url}/r.git`;
  for (const ref of ['', '#main', '#v1', `#${commit}`]) {
    t.match((await remote(all, `${url}${ref}`, { t: 'g' })).text, 'Successfully built', ref);
    const files = await filesOf(daemon.socket, 'g');
    t.match(files.get('c/sub/f'), { content: 'F', mode: 0o644, uid: 0 }, ref);
    t.notOk(files.has('c/.git'), 'without the history');
  }
  await remote(all, `${url}#main:sub`, { t: 'g' });
  t.match((await filesOf(daemon.socket, 'g')).get('f'), { content: 'F' });
});

test('a repository leads nowhere else, and its name is no option', async (t) => {
  const all = await world(t);
  const { server, folder } = all;
  makeRepository(join(folder, 'r.git'), { Dockerfile: base }, { out: '/etc', up: '../../..' });
  const url = `${server.url}/r.git`;
  const refused = async (context: string, why: RegExp): Promise<void> =>
    void t.match(errorOf(await remote(all, context)), why, context);
  await refused(`${url}#main:out`, /error setting git checkout subdir/);
  // Both are the repository itself, or nothing.
  for (const subfolder of ['../..', 'up']) {
    t.notMatch(errorOf(await remote(all, `${url}#main:${subfolder}`)), 'root:x:0', subfolder);
  }
  await refused(`${url}#none`, /git fetch/);
  const mark = join(folder, 'mark');
  for (const option of ['--upload-pack=touch', '-u']) {
    await refused(`${url}#${option} ${mark}`, /invalid git repository/);
    await refused(`git://${option}%20${mark}/x.git`, /invalid git repository/);
    await refused(`git@${option} ${mark}:x.git`, /invalid git repository/);
  }
  await refused(`ext::sh -c touch% ${mark}`, /unable to prepare context/);
  await refused(`http://127.0.0.1:1/x.git`, /git fetch/);
  t.notOk(existsSync(mark), 'no program was run');
});

test('ADD fetches, by name, mode and checksum, and only what changed is no hit', async (t) => {
  const { daemon, server } = await world(t);
  const served = (content: string) =>
    server.serve('/dir/file.txt', (response) => {
      response.setHeader('Last-Modified', 'Tue, 01 Feb 2022 03:04:05 GMT');
      response.end(content);
    });
  served('one');
  const sum = createHash('sha256').update('one').digest('hex');
  const url = `${server.url}/dir/file.txt`;
  const Dockerfile =
    `${base}ADD ${url} /d/\nADD ${url} /renamed\nADD --checksum=sha256:${sum} ${url} /sum/\n` +
    `ADD --chown=7:8 --chmod=640 ${url} /own\n`;
  const request = { files: { Dockerfile }, query: { t: 'u' } };
  t.match((await buildOn(daemon.socket, request)).text, 'Successfully built');
  const files = await filesOf(daemon.socket, 'u');
  t.match(files.get('d/file.txt'), { content: 'one', mode: 0o600, uid: 0, gid: 0 });
  t.match(files.get('renamed'), { content: 'one' });
  t.match(files.get('own'), { content: 'one', mode: 0o640, uid: 7, gid: 8 });
  const again = await buildOn(daemon.socket, request);
  t.equal(again.text.split('Using cache').length - 1, 4, 'the same content is a hit');
  served('two');
  const wrong = await buildOn(daemon.socket, request);
  t.notMatch(wrong.text, 'Using cache', 'another content is none');
  t.match(errorOf(wrong), /digest mismatch for .*: sha256:\w+ \(expected: sha256:\w+\)/);
  const none = { files: { Dockerfile: `${base}ADD ${server.url}/none /\n` } };
  t.match(errorOf(await buildOn(daemon.socket, none)), /404/);
  const nameless = { files: { Dockerfile: `${base}ADD ${server.url}/ /x/\n` } };
  t.match(errorOf(await buildOn(daemon.socket, nameless)), /cannot determine filename from url/);
});

test('ADD takes archives of URLs as they are, unless it is told to unpack them', async (t) => {
  const { daemon, server } = await world(t);
  server.serve('/in.tar', contextOf({ f: 'F' }));
  const Dockerfile = `${base}ADD ${server.url}/in.tar /a/\nADD --unpack ${server.url}/in.tar /b/\n`;
  await buildOn(daemon.socket, { files: { Dockerfile }, query: { t: 'u' } });
  const files = await filesOf(daemon.socket, 'u');
  t.match(files.get('a/in.tar'), { type: 'file' });
  t.match(files.get('b/f'), { content: 'F' });
  t.notOk(files.has('b/in.tar'));
});

test('ADD clones repositories, with their history if it is asked for', async (t) => {
  const { daemon, server, folder } = await world(t);
  const commit = makeRepository(join(folder, 'r.git'), { f: 'F', 'sub/g': 'G' });
  const url = `${server.url}/r.git`;
  const Dockerfile =
    `${base}ADD ${url}#v1 /a\nADD --keep-git-dir=true ${url} /b/\nADD ${url}#main:sub /c\n` +
    `ADD --checksum=${commit} ${url} /d\n`;
  const answer = await buildOn(daemon.socket, { files: { Dockerfile }, query: { t: 'u' } });
  t.match(answer.text, 'Successfully built');
  const files = await filesOf(daemon.socket, 'u');
  t.match(files.get('a/sub/g'), { content: 'G' });
  t.notOk(files.has('a/.git'));
  t.ok(files.has('b/.git/HEAD'));
  t.match(files.get('c/g'), { content: 'G' });
  t.match(files.get('d/f'), { content: 'F' });
  const wrong = `${base}ADD --checksum=${'0'.repeat(40)} ${url} /d\n`;
  const refused = await buildOn(daemon.socket, { files: { Dockerfile: wrong } });
  t.match(errorOf(refused), /expected checksum to match 0{40}, got /);
});

test('a base is fetched where it is missing, and anew only if it is asked for', async (t) => {
  const registry = await startLyingRegistry();
  t.teardown(() => registry.stop());
  const daemon = await startDaemon(t);
  const serve = (content: string): void =>
    registry.serve('base', '1', buildImage([tarOf([{ name: 'of-base', content }])]));
  const built = async (query: object = {}): Promise<string | undefined> => {
    const Dockerfile = `FROM ${registry.host}/base:1\nCOPY own /\n`;
    const answer = await buildOn(daemon.socket, {
      files: { Dockerfile, own: '' }, query: { t: 'on', ...query },
    });
    t.match(answer.text, 'Successfully built', errorOf(answer));
    return (await filesOf(daemon.socket, 'on')).get('of-base')?.content;
  };
  serve('first');
  t.equal(await built(), 'first', 'it was not there');
  serve('second');
  const asked = registry.seen.length;
  t.equal(await built(), 'first', 'it is there');
  t.equal(registry.seen.length, asked, 'and nobody was asked');
  t.equal(await built({ pull: '1' }), 'second');
  t.equal(await built(), 'second', 'which is there now');
});
