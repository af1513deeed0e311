import type { Call } from '../command.js';
import { registryAuthHeader } from '../engine/credentials.js';
import { familiarName, parseImageName } from '../reference.js';
import { showProgress } from '../terminal/progress.js';
import { consoleSize } from '../terminal/terminal.js';

/** How a pull is shown, and of which platform it is. */
export interface FetchOptions {
  readonly platform: string;
  readonly write: (text: string) => void;
  readonly isTerminal: boolean;
  readonly allTags?: boolean;
}

/** Lets the engine pull an image, with the credentials of config.json. */
export async function fetchImage(
  { engine, configFolder }: Call,
  image: string,
  { platform, write, isTerminal, allTags = false }: FetchOptions,
): Promise<void> {
  const name = parseImageName(image);
  const headers = await registryAuthHeader(image, configFolder);
  const tag = name.digest ?? name.tag ?? (allTags ? undefined : 'latest');
  const answer = await engine.open('POST', '/images/create', {
    query: { fromImage: familiarName(name), tag, platform: platform || undefined },
    headers,
  });
  const columns = consoleSize()?.[1] ?? 0;
  await showProgress(answer, { write, isTerminal, columns: isTerminal ? columns : 0 });
}
