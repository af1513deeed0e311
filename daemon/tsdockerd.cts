#!/usr/bin/env node
// Some of Node's settings are read before any JavaScript runs. So the process executes itself once
// more with them (the same pid, a few milliseconds), and is the daemon from then on.

const environment = {
  // libuv reads it when its pool is first used, which happens while an ES module loads.
  UV_THREADPOOL_SIZE: '16',
  // An arena for each thread keeps what none of them needs any more.
  MALLOC_ARENA_MAX: '1',
};
/**
 * A young generation of 8 MB, not 16: a start makes a megabyte of garbage, an idle daemon none. The
 * collector may be called when there is nothing else to do (`lean.ts`). And each function is
 * compiled, plainly, when it first runs: most of a container's life runs through functions that
 * have not been called often enough to be, and is a tenth faster so. Nor is that undone when it has
 * rested for a while.
 */
const flags = [
  '--max-semi-space-size=8', '--expose-gc', '--always-sparkplug', '--no-flush-bytecode',
];
/** Set when this has been done. */
const mark = 'TSDOCKERD_LEAN';
/** The last of the standard descriptors; systemd's sockets follow them. */
const standardError = 2;

async function beLean(): Promise<void> {
  const { execve } = await import('../native/execve.js');
  execve({
    path: process.execPath,
    argv: [process.execPath, ...process.execArgv, ...flags, ...process.argv.slice(1)],
    environment: { ...environment, ...process.env, [mark]: '1' },
    lastFd: standardError + Number(process.env['LISTEN_FDS'] ?? '0'),
  });
}

const bundle = `${__dirname}/tsdockerd.bundle.cjs`;
/** Written by the compiler whenever it has compiled something anew. */
const buildInfo = `${__dirname}/../.tsbuildinfo`;

const modules = () => import('./program.js');

/** One file takes less memory and time than a thousand, unless the modules are newer. */
async function load(): ReturnType<typeof modules> {
  const { existsSync, statSync } = await import('node:fs');
  const modifiedMs = (path: string): number => statSync(path).mtimeMs;
  if (!existsSync(bundle)) return modules();
  if (existsSync(buildInfo) && modifiedMs(buildInfo) > modifiedMs(bundle)) return modules();
  const { createRequire } = await import('node:module');
  // Made of that very module (`bundle.mjs`).
  return createRequire(__filename)(bundle) as Awaited<ReturnType<typeof modules>>;
}

async function start(): Promise<number> {
  const { main, loadCompose } = await load();
  return main(process.argv.slice(2), loadCompose);
}

const isLean = process.env[mark] !== undefined;
Reflect.deleteProperty(process.env, mark);
// A daemon that cannot be lean (not built, a forbidden execve) is still a daemon.
void (isLean ? start() : beLean().catch(start)).then((status) => process.exit(status ?? 0));
