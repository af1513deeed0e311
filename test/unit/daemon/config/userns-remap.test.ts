import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import { resolveConfig } from '../../../../daemon/config/resolve.js';
import { remapped } from '../../../../daemon/config/userns-remap.js';

const files = {
  passwd: 'root:x:0:0::/:\nalice:x:1000:1000::/:\ndockremap:x:999:998::/:\n',
  group: 'root:x:0:\nalice:x:1000:\nusers:x:100:\ndockremap:x:998:\n',
  subuid: 'alice:100000:65536\nbob:1:1\nalice:500000:10\n999:200000:65536\n',
  subgid: 'alice:100001:65536\nusers:7000:100\ndockremap:200000:65536\n100:9000:1\nbad:x:1\n',
};

function remap(t: Test, word: string): ReturnType<typeof remapped> {
  const etc = join(t.testdir(), 'etc');
  mkdirSync(etc);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(etc, name), text);
  return remapped(resolveConfig({ 'userns-remap': word, 'data-root': '/data' }), etc);
}

test('ranges of a name follow each other, and make the data root', async (t) => {
  const { remap: maps, dataRoot } = remap(t, 'alice');
  t.same(maps?.uidMappings, [
    { containerID: 0, hostID: 100_000, size: 65_536 },
    { containerID: 65_536, hostID: 500_000, size: 10 },
  ]);
  t.same(maps?.gidMappings, [{ containerID: 0, hostID: 100_001, size: 65_536 }]);
  t.equal(dataRoot, '/data/100000.100001');
});

test('user and group, names or numbers, and Docker\'s default', async (t) => {
  t.same(remap(t, '1000:users').remap?.gidMappings, [
    { containerID: 0, hostID: 7000, size: 100 }, { containerID: 100, hostID: 9000, size: 1 },
  ]);
  t.equal(remap(t, 'default').dataRoot, '/data/200000.200000');
  t.equal(remap(t, '').remap, undefined);
});

test('who is not there, or has no ranges, is told of', async (t) => {
  t.throws(() => remap(t, 'carol'), { message: 'userns-remap: no such user: "carol"' });
  t.throws(() => remap(t, 'alice:carol'), { message: 'userns-remap: no such group: "carol"' });
  t.throws(() => remap(t, 'root'), { message: /^no subuid ranges found for user "root" in / });
  t.throws(() => remap(t, 'alice:root'), { message: /^no subgid ranges found for group "root"/ });
});
