/**
 * Launch programs that `create` compiled, kept below `--root` for the next container that is
 * configured alike: another run of the same bundle, or of one with another id. The name of each is
 * the digest of all that it depends on, the code that compiles included, and each begins with the
 * digest of itself: where either does not match, it is compiled anew.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { Template, TemplateStore } from '../../daemon/runtime/launch-template.js';
import { hasCode } from '../../native/errno-error.js';

/** In `--root`, beside the containers: no id has such a name. */
export const KEPT_FOLDER = '@programs';
/** A dozen kilobytes each; those that were not used for the longest time go. */
const MOST = 64;
const DIGEST_BYTES = 32;
const LENGTH_BYTES = 4;

type Head = Omit<Template, 'bytes'>;

/** `compiler` is the file of all this program's code: its digest tells versions apart. */
export function keptPrograms(root: string, compiler: string): TemplateStore {
  const folder = join(root, KEPT_FOLDER);
  const version = digestOf(fs.readFileSync(compiler));
  const pathOf = (key: string): string =>
    join(folder, digestOf(version, Buffer.from(key)).toString('hex'));
  return {
    get: (key) => read(pathOf(key)),
    put: (key, template) => write(folder, pathOf(key), template),
  };
}

function digestOf(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** Undefined for one that is not there, or not as it was written. */
function read(path: string): Template | undefined {
  let bytes: Buffer;
  try {
    bytes = fs.readFileSync(path);
    const now = new Date();
    fs.utimesSync(path, now, now);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  const content = bytes.subarray(DIGEST_BYTES);
  if (!digestOf(content).equals(bytes.subarray(0, DIGEST_BYTES))) return undefined;
  const end = LENGTH_BYTES + content.readUInt32LE(0);
  // Written by `write`, as the digest says.
  const head = JSON.parse(content.toString('utf8', LENGTH_BYTES, end)) as Head;
  return { ...head, bytes: content.subarray(end) };
}

/** By rename, for others may read; nothing is kept where there is no room. */
function write(folder: string, path: string, { bytes, ...head }: Template): void {
  const text = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(text.length);
  const content = Buffer.concat([length, text, bytes]);
  const draft = `${path}.${process.pid}`;
  try {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    fs.writeFileSync(draft, Buffer.concat([digestOf(content), content]), { mode: 0o600 });
    fs.renameSync(draft, path);
  } catch (error) {
    if (!hasCode(error, 'ENOSPC', 'EDQUOT')) throw error;
    fs.rmSync(draft, { force: true });
    return;
  }
  removeOldest(folder);
}

function removeOldest(folder: string): void {
  const names = fs.readdirSync(folder);
  if (names.length <= MOST) return;
  const usedMs = (name: string): number =>
    fs.statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const byUse = names.map((name) => ({ name, at: usedMs(name) })).sort((a, b) => a.at - b.at);
  for (const { name } of byUse.slice(0, names.length - MOST)) {
    fs.rmSync(join(folder, name), { force: true });
  }
}
