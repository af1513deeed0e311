/** What a daemon finds of the last one: tasks that live, ends that nobody saw, and left-overs. */
import * as fs from 'node:fs';
import { connectIfThere } from '../../native/shim/client.js';
import type { ContainerRecord } from '../containers/record.js';
import { bundlePaths, type BundlePaths } from './bundle.js';
import type { ContainerCgroup } from './cgroup/index.js';
import { afterStart, containerTask, endShim, readExit, toTaskExit } from './container-task.js';
import { foreignOf, type Context } from './context.js';
import { sweepForeign, type ForeignContainer } from './foreign/container.js';
import type { Task, TaskExit } from './task.js';

/** A container's task if it lives, or its end if nobody has seen that; else its remains go. */
export async function adopt(
  context: Context,
  record: ContainerRecord,
): Promise<{ task: Task } | { exit: TaskExit } | undefined> {
  const paths = bundlePaths(context.dataRoot, context.execRoot, record.id);
  const cgroup = context.cgroups.open(context.places.pathOf(record));
  const foreign = foreignOf(context, record, paths);
  const shim = await connectIfThere(paths.socket);
  if (shim === undefined) return adoptDead(paths, cgroup, foreign);
  const hello = await shim.hello();
  if (!hello.started && hello.exit === undefined) {
    // The gate was never opened: nothing of the container has run, and nothing is to run now.
    await endShim(shim);
    return adoptDead(paths, cgroup, foreign);
  }
  const { pid, shimPid } = hello;
  const parts = { containerId: record.id, pid, shimPid, shim, cgroup, paths, foreign };
  if (hello.exit === undefined) {
    const { laterHooks } = context;
    afterStart({ ...parts, laterHooks }).catch((error: unknown) => {
      context.warn(`what was to follow the start of ${record.id} failed`, error);
    });
    return { task: containerTask({ ...parts, laterHooks }) };
  }
  // What follows its end is for the sweep: a start of the daemon does not wait for that.
  await containerTask(parts).dispose();
  return { exit: toTaskExit(hello.exit) };
}

async function adoptDead(
  paths: BundlePaths,
  cgroup: ContainerCgroup,
  foreign: ForeignContainer | undefined,
): Promise<{ exit: TaskExit } | undefined> {
  await cgroup.kill();
  await foreign?.remove();
  await cgroup.remove();
  fs.rmSync(paths.socket, { force: true });
  const status = await readExit(paths.exit);
  return status === undefined ? undefined : { exit: toTaskExit(status) };
}

/** Ends and removes what is of no container that lives; what that was. */
export async function sweep(
  context: Context,
  known: ReadonlySet<string>,
): Promise<readonly string[]> {
  const names = new Set([...known].map((id) => bundlePaths('', '', id).socket.slice('/s/'.length)));
  const folder = `${context.execRoot}/s`;
  const sockets = fs.existsSync(folder) ? fs.readdirSync(folder) : [];
  const removed: string[] = [];
  for (const name of sockets.filter((each) => !names.has(each))) {
    await endUnknown(`${folder}/${name}`);
    removed.push(`shim ${name}`);
  }
  await sweepForeign({ ...context, known });
  context.laterHooks.resume(known);
  const { parent, nameOf } = context.places;
  const groups = await context.cgroups.sweep(parent, new Set([...known].map(nameOf)));
  return [...removed, ...groups.map((id) => `cgroup ${id}`)];
}

async function endUnknown(socket: string): Promise<void> {
  const shim = await connectIfThere(socket);
  if (shim !== undefined) await endShim(shim);
  fs.rmSync(socket, { force: true });
}
