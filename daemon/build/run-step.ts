/** `RUN`: a container of its own over what is there, and what it changed as a layer. */
import { invalidParameter } from '../../api-spec/errors.js';
import type { HostConfig } from '../../api-spec/index.js';
import type { BuildArgs } from './build-args.js';
import type { Build } from './build.js';
import { shellOf, without, wordsOf } from './config-step.js';
import type { RunInstruction } from './dockerfile/instruction.js';
import { prepareMounts, type StepMounts } from './run-mounts.js';
import { CommandFailed } from './command-failed.js';
import { recall, remember, type StepKey } from './remember.js';
import type { StageState } from './state.js';
import type { StepContext } from './step.js';

/** The state after it; `CommandFailed` when the command did. */
export async function runStep(
  step: StepContext,
  state: StageState,
  instruction: RunInstruction,
): Promise<StageState> {
  const { build, args } = step;
  const key = keyOf(state, instruction, args);
  const found = await recall(build, state, key);
  if (found !== undefined) {
    await step.tell({ kind: 'cached' });
    return found;
  }
  refuseHost(build, instruction);
  return build.slots.run(async () => {
    const mounts = await prepareMounts(step, state, instruction);
    try {
      const layer = await execute(step, state, { instruction, mounts });
      return await remember(build, state, { step: key, layer });
    } finally {
      mounts.release();
    }
  }, build.signal);
}

/** The host's network is for whoever asks for the build to grant, not for its Dockerfile. */
function refuseHost({ request }: Build, { network }: RunInstruction): void {
  if (network !== 'host' || request.hostConfig.NetworkMode === 'host') return;
  throw invalidParameter('network.host is not allowed: the build needs the host as its network');
}

/** Arguments that are declared are part of what runs; proxies are not. */
function keyOf(state: StageState, instruction: RunInstruction, args: BuildArgs): StepKey {
  const { declared } = args.forRun(state.config.Env ?? []);
  const words = commandOf(state, instruction).shown;
  const shown = declared.length === 0 ? words : [`|${declared.length}`, ...declared, ...words];
  const { mounts, network, heredocs, text } = instruction;
  const extra = [mounts, network, heredocs].map((part) => JSON.stringify(part));
  return {
    createdBy: shown.join(' '),
    extra: mounts.length > 0 || network !== '' || heredocs.length > 0 ? extra : [],
    config: state.config,
    kind: 'regular',
    description: text,
  };
}

/** A here-document is the shell's input, or a script with an interpreter of its own. */
function commandOf(
  state: StageState,
  { command, heredocs }: RunInstruction,
): { readonly words: readonly string[]; readonly shown: readonly string[] } {
  const [document] = heredocs;
  if (document === undefined || command.form === 'exec') {
    const words = wordsOf(command, state.config);
    return { words, shown: words };
  }
  const shell = shellOf(state.config);
  const isWhole = /^<<-?\s*(['"]?)[^\s'"]+\1$/.test(command.line.trim());
  if (isWhole && heredocs.length === 1 && !document.content.startsWith('#!')) {
    const words = [...shell, document.content];
    return { words, shown: words };
  }
  const script = heredocs.map(({ name, content }) => `${content}${name}\n`).join('');
  const line = isWhole ? asScript(document.content) : `${command.line}\n${script}`;
  const words = [...shell, line];
  return { words, shown: words };
}

/** `#!` names the interpreter; the shell only has to put the script where that can read it. */
function asScript(content: string): string {
  const mark = scriptMark;
  return (
    `f=$(mktemp) && cat > "$f" <<'${mark}'\n${content}${mark}\n` +
    `chmod 700 "$f" && { "$f"; s=$?; rm -f "$f"; exit $s; }`
  );
}

/** The same for every build, so that the cache finds what was run with it. */
const scriptMark = 'TSDOCKER_HEREDOC_7f3ae0c4';

interface Execution {
  readonly instruction: RunInstruction;
  readonly mounts: StepMounts;
}

async function execute(step: StepContext, state: StageState, execution: Execution) {
  const { build, args } = step;
  const { containers } = build.context;
  const { instruction, mounts } = execution;
  const { declared, proxies } = args.forRun(state.config.Env ?? []);
  const { words } = commandOf(state, instruction);
  const config = without(state.config, 'Healthcheck', 'OnBuild');
  const id = await containers.create({
    image: {
      id: state.id === '' ? emptyImageId : state.id,
      config: {},
      layers: state.storageKeys,
      ...state.platform,
    },
    config: {
      ...config,
      Image: state.id,
      Env: [...(config.Env ?? []), ...declared, ...proxies],
      Cmd: words,
      Entrypoint: [''],
    },
    hostConfig: hostConfigOf(build.request.hostConfig, execution),
    hiddenEnv: mounts.env,
  });
  let keep = build.request.keepContainers === 'always';
  let isWhole = true;
  try {
    await step.tell({ kind: 'running', containerId: id });
    const exitCode = await containers.run(id, step.output, build.signal);
    if (exitCode !== 0) throw new CommandFailed(words, exitCode);
    const { targets } = mounts;
    // What moved into a layer that could not be made is no container any more.
    isWhole = keep;
    const write = containers.layer(id, { targets, goes: !keep, signal: build.signal });
    return await build.hold.addLayer(state.diffIds, write, build.signal);
  } catch (error) {
    const isWanted = build.request.keepContainers === 'ifFailed' && !build.signal.aborted;
    keep ||= isWhole && isWanted;
    throw error;
  } finally {
    await leave(step, id, keep);
  }
}

const emptyImageId = `sha256:${'0'.repeat(64)}`;

async function leave(step: StepContext, id: string, keep: boolean): Promise<void> {
  const { containers } = step.build.context;
  if (keep) {
    // From here on it lasts, and so must what it stands on.
    await step.build.flush();
    await containers.keep(id);
    return;
  }
  // The next step does not wait for it, the end of the build does.
  step.build.later(containers.remove(id));
  await step.tell({ kind: 'removed', containerId: id });
}

function hostConfigOf(given: HostConfig, { instruction, mounts }: Execution): HostConfig {
  const { network } = instruction;
  return {
    ...given,
    ...(network === '' || network === 'default' ? {} : { NetworkMode: network }),
    ...(mounts.mounts.length === 0 ? {} : { Mounts: mounts.mounts }),
  };
}
