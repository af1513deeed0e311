/** The program: flags → configuration → the composed engine → signals. */
import type { DaemonConfig } from './config/config.js';
import { ConfigError } from './config/config-error.js';
import type { CommandLine } from './config/flags.js';
import { parseFlags } from './config/flags.js';
import { helpText } from './config/help.js';
import { readConfig } from './config/read-config.js';
import { engineVersion } from './config/version.js';
import type { DaemonLog } from './daemon-log.js';
import { openDaemonLog } from './daemon-log.js';
import type { DataRootClaim } from './data-root.js';
import { claimDataRoot } from './data-root.js';
import type { Compose, Engine, Fsck } from './engine.js';
import { checkLogConfig } from './logs/options.js';

/** How long running requests may take to end when the daemon is told to stop. */
const closeTimeoutMs = 15_000;

function checkedConfig(commandLine: CommandLine): DaemonConfig {
  const config = readConfig(commandLine);
  checkLogConfig(config.containers.logDriver, config.containers.logOptions);
  return config;
}

/** What is loaded only when there is something to run, so that `--validate` loads none of it. */
type Load = () => Promise<{ readonly compose: Compose; readonly fsck: Fsck }>;

/** As fsck(8): all is well; something was mended; something is left. */
const fsckStatus = { clean: 0, mended: 1, left: 4 };

/** What the flags ask for: a text to print, a data root to check, or a daemon to run. */
function read(
  argv: readonly string[],
):
  | { readonly print: string }
  | { readonly check: DaemonConfig; readonly repair: boolean }
  | { readonly run: DaemonConfig } {
  if (argv[0] === 'fsck') {
    const flags = argv.slice(1).filter((word) => word !== '--repair');
    const check = checkedConfig(parseFlags(flags));
    return { check, repair: flags.length < argv.length - 1 };
  }
  const commandLine = parseFlags(argv);
  if (commandLine.help) return { print: helpText() };
  if (commandLine.version) return { print: `tsdockerd version ${engineVersion()}\n` };
  const config = checkedConfig(commandLine);
  return commandLine.validate ? { print: 'configuration OK\n' } : { run: config };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Runs the program; returns its exit status, once a daemon has ended. `loadCompose` is called only
 * when there is something to run.
 */
export async function main(
  argv: readonly string[],
  loadCompose: Load,
): Promise<number> {
  try {
    const wanted = read(argv);
    if ('print' in wanted) {
      process.stdout.write(wanted.print);
      return 0;
    }
    if ('check' in wanted) {
      return await runFsck(await privileged(wanted.check), wanted.repair, loadCompose);
    }
    return await runDaemon(await privileged(wanted.run), loadCompose);
  } catch (error) {
    const hint = error instanceof ConfigError ? "\nSee 'tsdockerd --help'." : '';
    process.stderr.write(`tsdockerd: ${messageOf(error)}${hint}\n`);
    return 1;
  }
}

/** The same, as root: the machine's, or that of namespaces, which may take an execve. */
async function privileged(config: DaemonConfig): Promise<DaemonConfig> {
  if (config.isRootless) {
    const { arrivedInside, launchInside } = await import('./rootless/index.js');
    const outside = arrivedInside(config) ?? (await launchInside(config));
    return { ...config, outside };
  }
  if (process.geteuid?.() === 0) return config;
  throw new Error('tsdockerd needs to be started with root privileges, or with --rootless');
}

async function runFsck(config: DaemonConfig, repair: boolean, load: Load): Promise<number> {
  const claim = claimDataRoot(config);
  try {
    const { fsck } = await load();
    const { lines, isLeft } = await fsck(config, openDaemonLog(config), { repair });
    process.stdout.write(lines.map((line) => `${line}\n`).join(''));
    if (isLeft) return fsckStatus.left;
    return lines.length === 0 ? fsckStatus.clean : fsckStatus.mended;
  } finally {
    claim.release();
  }
}

async function runDaemon(config: DaemonConfig, loadCompose: Load): Promise<number> {
  const claim = claimDataRoot(config);
  try {
    const log = openDaemonLog(config);
    for (const warning of config.warnings) log.warn(warning);
    dieOnBugs(log);
    const told = stopSignal(log, claim);
    const { compose } = await loadCompose();
    const engine = await compose(config, log);
    await serveUntil(told, engine, log);
    return 0;
  } finally {
    claim.release();
  }
}

async function serveUntil(
  told: Promise<NodeJS.Signals>,
  engine: Engine,
  log: DaemonLog,
): Promise<void> {
  try {
    await engine.serve();
    log.info({ version: engineVersion(), pid: process.pid }, 'the daemon is ready');
    const signal = await told;
    log.info({ signal }, 'stopping; containers go on running');
  } finally {
    await closeInTime(engine, log);
  }
}

async function closeInTime(engine: Engine, log: DaemonLog): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      log.warn({ closeTimeoutMs }, 'some requests did not end in time');
      resolve();
    }, closeTimeoutMs);
  });
  await Promise.race([engine.close(), late]);
  clearTimeout(timer);
}

/** Resolves at the first SIGTERM or SIGINT; the second ends the process at once. */
function stopSignal(log: DaemonLog, claim: DataRootClaim): Promise<NodeJS.Signals> {
  process.on('SIGHUP', () =>
    log.warn('SIGHUP: restart the daemon to reload; containers go on running'),
  );
  // Node's own answer to SIGUSR1 opens a debugger port, which is a root shell for any local user.
  process.on('SIGUSR1', () => log.info({ memory: process.memoryUsage() }, 'SIGUSR1'));
  return new Promise((resolve) => {
    let count = 0;
    const stop = (signal: NodeJS.Signals): void => {
      count += 1;
      resolve(signal);
      if (count < 2) return;
      claim.release();
      process.exit(1);
    };
    process.on('SIGTERM', stop).on('SIGINT', stop);
  });
}

/** The daemon is crash-only: what is not foreseen ends it, and its next start recovers. */
function dieOnBugs(log: DaemonLog): void {
  process.on('uncaughtException', (error) => {
    log.fatal({ stack: error.stack }, error.message);
    process.exit(2);
  });
}
