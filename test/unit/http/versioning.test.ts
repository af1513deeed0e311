import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { test } from 'tap';
import { maxMinor } from '../../../api-spec/versions.js';
import { apiMinorOf, rewriteUrl } from '../../../daemon/http/versioning.js';

function rewritten(url: string, method = 'GET') {
  const request = new IncomingMessage(new Socket());
  request.url = url;
  request.method = method;
  return { url: rewriteUrl(request), minor: () => apiMinorOf(request) };
}

test('the version is cut off and remembered', async (t) => {
  const { url, minor } = rewritten('/v1.44/containers/json?all=1');
  t.equal(url, '/containers/json?all=1');
  t.equal(minor(), 44);
});

test('a request without a version speaks the highest', async (t) => {
  t.equal(rewritten('/info').minor(), maxMinor);
});

test('versions that are not spoken are refused in the words of Docker', async (t) => {
  t.throws(rewritten('/v1.23/info').minor, {
    kind: 'InvalidParameter',
    message:
      'client version 1.23 is too old. Minimum supported API version is 1.24, ' +
      'please upgrade your client to a newer version',
  });
  t.throws(rewritten('/v2.0/info').minor, {
    message: `client version 2.0 is too new. Maximum supported API version is 1.${maxMinor}`,
  });
  t.throws(rewritten('/v1.999/info').minor, { message: /^client version 1.999 is too new/ });
});

test('what only looks like a version is left alone', async (t) => {
  for (const url of ['/v1.abc/info', '/volumes', '/v1.44', '/version']) {
    t.equal(rewritten(url).url, url);
  }
});

test('the slashes of a name are encoded between prefix and verb', async (t) => {
  const name = 'reg.example:5000/team/app@sha256:0123';
  const encoded = name.replaceAll('/', '%2F');
  const cases = [
    ['GET', `/images/${name}/json?platform=x/y`, `/images/${encoded}/json?platform=x/y`],
    ['POST', `/v1.30/images/${name}/tag?repo=a/b`, `/images/${encoded}/tag?repo=a/b`],
    ['POST', `/images/${name}/push`, `/images/${encoded}/push`],
    ['DELETE', `/images/${name}`, `/images/${encoded}`],
    ['GET', `/distribution/${name}/json`, `/distribution/${encoded}/json`],
    ['GET', '/containers/a/b/json', '/containers/a%2Fb/json'],
    ['GET', '/volumes/a/b', '/volumes/a%2Fb'],
  ] as const;
  for (const [method, from, to] of cases) t.equal(rewritten(from, method).url, to);
});

test('urls without a slash in a name stay as they are', async (t) => {
  const urls = [
    '/images/json',
    '/images/busybox/json',
    '/containers/c/attach/ws?logs=1',
    '/containers/json?filters=%7B%7D',
    '/images/a%2Fb/json',
  ];
  for (const url of urls) t.equal(rewritten(url).url, url);
});

test('an image may be called by a word that is also a verb', async (t) => {
  t.equal(rewritten('/images/team/json', 'DELETE').url, '/images/team%2Fjson');
  t.equal(rewritten('/images/team/json/json').url, '/images/team%2Fjson/json');
});

test('the networks may be listed with a slash at the end', async (t) => {
  t.equal(rewritten('/networks/').url, '/networks');
  t.equal(rewritten('/v1.24/networks/?filters=x').url, '/networks?filters=x');
});
