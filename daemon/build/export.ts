/** Where what a build has made goes: names in the image store, or whatever a door brings along. */
import type { BuildHold, BuildImages } from '../images/builds.js';
import type { StageState } from './state.js';

/** The end of a build's last stage; its layers are durable. */
export interface Made {
  readonly state: StageState;
  /** The image's config, whose digest is `state.id`. */
  readonly configText: string;
  /** Of its layers on the host, topmost first. */
  readonly folders: () => readonly string[];
}

/** The stores that a sink may write to; what the build stands on stays for as long. */
export interface ExportOn {
  readonly images: BuildImages;
  readonly hold: BuildHold;
  readonly signal: AbortSignal;
}

/** Takes what was made; the build has ended well once it resolves. */
export interface ExportSink {
  take(made: Made, on: ExportOn): Promise<void>;
}

/** Names in the image store, `name[:tag]` as `checkTag` gives them; durable once taken. */
export function imageSink(tags: readonly string[]): ExportSink {
  return {
    take: async ({ state, configText }, { images, hold, signal }) => {
      signal.throwIfAborted();
      // A build of nothing but a `FROM` is that image: it only gets names.
      if (images.find(state.id) !== undefined) return hold.tag(state.id, tags);
      const { layers, baseId: parentId } = state;
      await hold.register({ configText, layers, parentId, tags, signal });
    },
  };
}
