/** Repositories: as contexts and for `ADD`. The `git` program does it, with arguments only. */
import { spawn } from 'node:child_process';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { invalidParameter, systemError } from '../../../api-spec/errors.js';
import { hasCode } from '../../../native/errno-error.js';
import { MergedTree } from '../../../native/merged-tree.js';
import { abortReason } from '../../../native/abort-reason.js';
import { maxFetchedBytes, withinBytes } from './growth.js';

/** What is cloned, and where to. */
export interface CloneRequest {
  readonly url: string;
  /** An empty folder. */
  readonly folder: string;
  readonly keepGitDir: boolean;
  /** The commit that it has to be, or its beginning; empty for any. */
  readonly checksum: string;
  readonly signal: AbortSignal;
  /** Of all that git writes, the history among it. */
  readonly maxBytes?: number;
}

/** How long one call of git may take. */
const timeoutMs = 10 * 60_000;
const maxStderrBytes = 4096;

/** Whether a word names a repository: by scheme, by ending, or as git's own short form. */
export function isRepository(word: string): boolean {
  if (/^https?:\/\//i.test(word)) return /\.git(#.*)?$/.test(word);
  return /^(git:\/\/|ssh:\/\/|git@|github\.com\/)/.test(word);
}

/** The folder in it that was meant (`url#ref:folder`). `ApiError` with git's words. */
export async function cloneRepository(request: CloneRequest): Promise<string> {
  const { folder, signal, url, maxBytes = maxFetchedBytes } = request;
  const { subfolder } = partsOf(url);
  const bound = { folder, maxBytes, what: url, signal };
  await withinBytes(bound, (bounded) => checkOut(request, bounded));
  if (!request.keepGitDir) await rm(join(folder, '.git'), { recursive: true, force: true });
  return insideFolder(folder, subfolder);
}

async function checkOut(request: CloneRequest, signal: AbortSignal): Promise<void> {
  const { remote, ref } = partsOf(request.url);
  const git = (...args: readonly string[]): Promise<string> =>
    runGit(args, request.folder, signal);
  await git('init', '--quiet', '.');
  await git('remote', 'add', '--', 'origin', remote);
  await fetchRef(git, ref);
  await git('checkout', '--quiet', '--detach', 'FETCH_HEAD');
  await git('submodule', 'update', '--init', '--recursive', '--depth=1', '--quiet');
  const commit = (await git('rev-parse', 'HEAD')).trim();
  if (request.checksum !== '' && !commit.startsWith(request.checksum)) {
    throw invalidParameter(`expected checksum to match ${request.checksum}, got ${commit}`);
  }
}

async function fetchRef(
  git: (...args: readonly string[]) => Promise<string>,
  ref: string,
): Promise<void> {
  try {
    await git('fetch', '--quiet', '--depth=1', '--', 'origin', ref);
  } catch (error) {
    // Some servers give no single commit away: then everything is fetched.
    if (!/^[0-9a-f]{7,64}$/.test(ref)) throw error;
    await git('fetch', '--quiet', '--tags', '--', 'origin');
    await git('fetch', '--quiet', '--', '.', ref);
  }
}

function partsOf(url: string): { remote: string; ref: string; subfolder: string } {
  const hash = url.indexOf('#');
  const address = hash < 0 ? url : url.slice(0, hash);
  const [ref = '', subfolder = ''] = hash < 0 ? [] : url.slice(hash + 1).split(':');
  const remote = address.startsWith('github.com/') ? `https://${address}` : address;
  const isSafe = /^(https?:\/\/|git:\/\/|ssh:\/\/|git@)[^-\s][^\s]*$/.test(remote);
  if (!isSafe || ref.startsWith('-')) {
    throw invalidParameter(`unable to prepare context: invalid git repository: ${url}`);
  }
  return { remote, ref: ref === '' ? 'HEAD' : ref, subfolder };
}

/** A repository may have a link where a folder was meant: it is followed inside alone. */
async function insideFolder(folder: string, subfolder: string): Promise<string> {
  const tree = new MergedTree([folder]);
  try {
    const { path, entry } = tree.resolve(subfolder, { followLast: true });
    if (entry?.kind !== 'directory') {
      throw invalidParameter(`error setting git checkout subdir ${JSON.stringify(subfolder)}`);
    }
    await stat(join(folder, path));
    return join(folder, path);
  } finally {
    tree.close();
  }
}

/** Nothing of the host's configuration, no prompts, and no protocol that runs programs or files. */
const environment = {
  PATH: process.env['PATH'],
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_TERMINAL_PROMPT: '0',
  GIT_ALLOW_PROTOCOL: 'http:https:git:ssh',
  GIT_SSH_COMMAND: 'ssh -o BatchMode=yes',
  LC_ALL: 'C',
};

function runGit(args: readonly string[], cwd: string, signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    // A group of its own: what it has started ends with it.
    const child = spawn('git', args, {
      cwd,
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const end = (): void => killGroup(child.pid);
    const timer = setTimeout(end, timeoutMs);
    signal.addEventListener('abort', end, { once: true });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-maxStderrBytes);
    });
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') {
        reject(systemError('unable to find git in $PATH: it is needed for repositories', error));
      } else reject(error);
    });
    child.once('close', (code) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      if (code === 0) resolve(stdout);
      else if (signal.aborted) reject(abortReason(signal));
      else reject(systemError(`git ${args[0] ?? ''}: ${stderr.trim() || `exit status ${code}`}`));
    });
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    const isGone = hasCode(error, 'ESRCH');
    if (!isGone) throw error;
  }
}
