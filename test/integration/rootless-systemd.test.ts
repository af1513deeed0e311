/** `--rootless` beside a systemd of the user's, which gives it a scope with control groups. */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test, type Test } from 'tap';
import { output, run, stateOf, until } from '../support/containers.js';
import type { TestDaemon } from '../support/daemon.js';
import { ownGroup, pidsIn, read, session, skipWithoutGroups } from '../support/delegated-group.js';
import { importDemoImage } from '../support/demo-image.js';
import { startRootless } from '../support/ordinary-user.js';

/** Set by systemd.sh: the user's is only one where the machine's runs. */
const units = process.env['TSDOCKER_OWN_SYSTEMD'];
const skip = skipWithoutGroups() ||
  (units === undefined && 'systemd is not the first process here');
const alone = { NetworkMode: 'none' };
const needs = { skip, timeout: 240_000 };

async function begin(t: Test, group: string): Promise<TestDaemon> {
  const daemon = await startRootless(
    t, { isBridgeless: true }, { group, ...(units === undefined ? {} : { units }) });
  await importDemoImage(daemon.api);
  return daemon;
}

test('a daemon whose group is not delegated asks for a scope', needs, async (t) => {
  const group = session(t);
  const daemon = await begin(t, group);
  t.match((await daemon.api.get('/info')).json, { CgroupDriver: 'cgroupfs' });
  const scope = ownGroup(group);
  t.match(scope, /\/manager\/app\.slice\/tsdocker-rootless-[-\d]+\.scope$/);
  const leaf = join(scope, 'tsdocker-rootless');
  t.ok(pidsIn(leaf).includes(String(daemon.pid())));
  const id = await run(daemon, { command: ['sleep', '1000'], host: { ...alone, PidsLimit: 30 } });
  const folder = join(scope, `tsdocker-${daemon.rootId}`, id);
  t.equal(read(join(folder, 'pids.max')), '30');
  const before = await stateOf(daemon, id);
  await daemon.kill9();
  await daemon.start();
  t.same(await stateOf(daemon, id), before);
  t.ok(pidsIn(leaf).includes(String(daemon.pid())), 'the next daemon comes there too');
  t.equal((await output(daemon, { command: ['true'], host: alone })).code, 0);
  await daemon.api.delete(`/containers/${id}?force=1`);
  await daemon.stop();
  await until(`${basename(scope)} is gone`, async () => !existsSync(scope), 120_000);
});
