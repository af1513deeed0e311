/** What the owner of a group of version 2 may do with it, and what it hands down. */
import * as fs from 'node:fs';
import { codeOf, hasCode } from '../../../native/errno-error.js';
import { wordsOf, writeFile } from './files.js';

/** What has to be writable, besides the folder. (cgroups(7), "Cgroups v2 delegation") */
const delegated = ['cgroup.procs', 'cgroup.subtree_control'];

/** Whether groups may be made and limited in this folder. */
export function isDelegated(folder: string): boolean {
  try {
    for (const path of [folder, ...delegated.map((file) => `${folder}/${file}`)]) {
      fs.accessSync(path, fs.constants.W_OK);
    }
    return true;
  } catch (error) {
    if (codeOf(error) !== '') return false;
    throw error;
  }
}

/**
 * Hands the controllers down, one by one: one that cannot be handed down (because processes stand
 * in this very group) is left out, and `warnings` tells of the limits that then do nothing.
 */
export function enableControllers(folder: string): void {
  const available = wordsOf(`${folder}/cgroup.controllers`);
  const enabled = new Set(wordsOf(`${folder}/cgroup.subtree_control`));
  for (const controller of available.filter((each) => !enabled.has(each))) {
    try {
      writeFile(`${folder}/cgroup.subtree_control`, `+${controller}`);
    } catch (error) {
      if (!hasCode(error, 'EBUSY', 'EINVAL', 'EOPNOTSUPP', 'ENOENT')) throw error;
    }
  }
}
