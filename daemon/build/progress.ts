/** What a build tells while it goes on. */
import type { JsonMessage } from '../../api-spec/index.js';

/** One step of a build: a node of its graph. */
export interface Vertex {
  /** Names it within the build. */
  readonly digest: string;
  /** Digests of those it stands on. */
  readonly inputs: readonly string[];
  /** As the Dockerfile has it. */
  readonly name: string;
  readonly stage: number;
}

/** Something that happened to a vertex. */
export type BuildEvent =
  | { readonly kind: 'started'; readonly digest: string; readonly atMs: number }
  | { readonly kind: 'cached'; readonly digest: string }
  /** In a container; a step that only changes the config has none, and says so all the same. */
  | { readonly kind: 'running'; readonly digest: string; readonly containerId: string }
  | { readonly kind: 'removed'; readonly digest: string; readonly containerId: string }
  | {
      readonly kind: 'log';
      readonly digest: string;
      readonly stream: 'stdout' | 'stderr' | 'note';
      readonly text: string;
    }
  /** A base that is fetched. */
  | { readonly kind: 'pull'; readonly digest: string; readonly message: JsonMessage }
  | {
      readonly kind: 'completed';
      readonly digest: string;
      readonly atMs: number;
      readonly imageId: string;
      /** Whether its stage ends with it. */
      readonly endsStage: boolean;
    };

/** A build before anything of it has started. */
export interface BuildOutline {
  /** All vertices that may come, in the Dockerfile's order. */
  readonly vertices: readonly Vertex[];
  /** Steps by digest, counted from 1; stages that are not needed are counted and do not come. */
  readonly numbers: ReadonlyMap<string, number>;
  readonly total: number;
  /** Arguments before the first stage: steps too, and the first ones. */
  readonly preamble: readonly string[];
  readonly warnings: readonly string[];
}

/** Who is told. A log waits until there is room. */
export interface BuildObserver {
  planned(outline: BuildOutline): void;
  tell(event: BuildEvent): Promise<void>;
}
