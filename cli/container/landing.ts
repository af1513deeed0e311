/** Where a copy lands, by the rules of `docker cp`. Pure. */
import { basename, dirname, resolve } from 'node:path/posix';
import { CommandError } from '../errors.js';

/** What is copied. */
export interface CopySource {
  readonly path: string;
  readonly isFolder: boolean;
}

/** What is at the other end. */
export interface CopyTarget {
  readonly path: string;
  readonly found: 'folder' | 'other' | 'nothing';
}

/** The folder to unpack in, and the name that the first part of each path gets, if another. */
export interface Landing {
  readonly folder: string;
  readonly name: string | undefined;
}

/** Throws `CommandError` for a folder onto a file, and a file into a folder that is not there. */
export function landingOf(source: CopySource, target: CopyTarget): Landing {
  if (target.found === 'folder') return { folder: target.path, name: undefined };
  if (target.found === 'other' && source.isFolder) throw new CommandError('cannot copy directory');
  if (target.found === 'nothing' && !source.isFolder && /\/\.?$/.test(target.path)) {
    throw new CommandError('no such directory');
  }
  const absolute = resolve('/', target.path);
  return { folder: dirname(absolute), name: basename(absolute) };
}

/** The name that a tar of `path` begins with: `.` where only what is in a folder is meant. */
export function firstName(path: string): string {
  if (/(^|\/)\.\/*$/.test(path)) return '.';
  return basename(resolve('/', path)) || '/';
}

/** tar's rule that renames the first part of each path, and of hard links; none to keep it. */
export function renaming(from: string, to: string | undefined): readonly string[] {
  if (to === undefined || to === from) return [];
  const pattern = from.replace(/[\\.*[\]^$|]/g, '\\$&');
  const replacement = to.replace(/[\\&|]/g, '\\$&');
  return ['--transform', `s|^${pattern}|${replacement}|S`];
}
