/** What a Dockerfile says, typed: one member of the union for each instruction. */
import type { Heredoc } from './lines.js';

/** A command as it was written: a list to execute, or a line for the shell. */
export type Command =
  | { readonly form: 'exec'; readonly words: readonly string[] }
  | { readonly form: 'shell'; readonly line: string };

/** A name with its value, both not yet expanded; no value for an `ARG` without default. */
export interface Pair {
  readonly name: string;
  readonly value: string;
}

interface Base {
  /** From 1; of an `ONBUILD` trigger the line of its `FROM`. */
  readonly line: number;
  /** As `Step` shows it. */
  readonly text: string;
}

/** `FROM`. */
export interface FromInstruction extends Base {
  readonly kind: 'FROM';
  readonly image: string;
  readonly platform: string;
  /** Lower case; empty for none. */
  readonly stageName: string;
}

/** `ARG`. */
export interface ArgInstruction extends Base {
  readonly kind: 'ARG';
  readonly args: readonly { readonly name: string; readonly value?: string }[];
}

/** One `--mount` of a `RUN`. */
export interface RunMount {
  readonly type: 'bind' | 'cache' | 'tmpfs' | 'secret' | 'ssh';
  readonly target: string;
  readonly source: string;
  readonly from: string;
  readonly readonly: boolean;
  readonly id: string;
  readonly sharing: 'shared' | 'private' | 'locked';
  readonly sizeBytes?: number;
  readonly mode?: number;
  readonly uid: number;
  readonly gid: number;
  readonly required: boolean;
  readonly env: string;
}

/** `RUN`. */
export interface RunInstruction extends Base {
  readonly kind: 'RUN';
  readonly command: Command;
  readonly heredocs: readonly Heredoc[];
  readonly mounts: readonly RunMount[];
  /** Empty for what the build says. */
  readonly network: '' | 'default' | 'none' | 'host';
}

/** `COPY` and `ADD`. */
export interface CopyInstruction extends Base {
  readonly kind: 'COPY' | 'ADD';
  /** Not yet expanded; here-documents are among `heredocs`. */
  readonly sources: readonly string[];
  readonly destination: string;
  readonly heredocs: readonly Heredoc[];
  readonly from: string;
  readonly chown: string;
  readonly chmod: string;
  readonly link: boolean;
  readonly parents: boolean;
  readonly excludes: readonly string[];
  readonly checksum: string;
  readonly keepGitDir: boolean;
  /** Undefined: tars are unpacked where they come from the context. */
  readonly unpack?: boolean;
}

/** `ENV` and `LABEL`. */
export interface PairsInstruction extends Base {
  readonly kind: 'ENV' | 'LABEL';
  readonly pairs: readonly Pair[];
  /** Whether names and values are still to be expanded. */
  readonly literal?: boolean;
}

/** `CMD` and `ENTRYPOINT`. */
export interface CommandInstruction extends Base {
  readonly kind: 'CMD' | 'ENTRYPOINT';
  readonly command: Command;
}

/** Instructions of one word or sentence. */
export interface TextInstruction extends Base {
  readonly kind: 'MAINTAINER' | 'STOPSIGNAL' | 'USER' | 'WORKDIR';
  readonly value: string;
}

/** `EXPOSE`, `VOLUME` and `SHELL`. */
export interface WordsInstruction extends Base {
  readonly kind: 'EXPOSE' | 'VOLUME' | 'SHELL';
  readonly words: readonly string[];
}

/** `ONBUILD`. */
export interface OnbuildInstruction extends Base {
  readonly kind: 'ONBUILD';
  readonly trigger: string;
}

/** `HEALTHCHECK`; durations in nanoseconds, 0 for what was not said. */
export interface HealthcheckInstruction extends Base {
  readonly kind: 'HEALTHCHECK';
  /** Undefined for `NONE`. */
  readonly command?: Command;
  readonly intervalNs: number;
  readonly timeoutNs: number;
  readonly startPeriodNs: number;
  readonly startIntervalNs: number;
  readonly retries: number;
}

/** Everything but what begins a stage. */
export type StageInstruction =
  | ArgInstruction
  | CommandInstruction
  | CopyInstruction
  | HealthcheckInstruction
  | OnbuildInstruction
  | PairsInstruction
  | RunInstruction
  | TextInstruction
  | WordsInstruction;

/** Any instruction. */
export type Instruction = FromInstruction | StageInstruction;
