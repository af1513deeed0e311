/** Where the tar of an import comes from: the body of the request, or a URL. */
import { Readable } from 'node:stream';
import { invalidParameter, systemError } from '../../api-spec/errors.js';
import type { Progress } from './progress.js';

/** As in `POST /images/create?fromSrc=`. */
interface ImportSource {
  readonly source: string;
  readonly body: Readable;
  readonly signal: AbortSignal;
}

const maxReasonBytes = 1000;
/** How long a server may take until it answers. */
const answerTimeoutMs = 60_000;

/** The bytes; `ApiError` when they cannot be had. The reader ends the stream. */
export async function openSource(
  { source, body, signal }: ImportSource,
  progress: Progress,
): Promise<Readable> {
  if (source === '-') return body;
  const url = addressOf(source);
  progress.line({ status: `Downloading from ${url.href}` });
  const answer = await ask(url, signal);
  if (answer.body === null) throw systemError(`Get "${url.href}": EOF`);
  if (answer.status >= 400) {
    const reason = (await answer.text()).slice(0, maxReasonBytes).trim();
    const status = `${answer.status} ${answer.statusText}`.trim();
    throw systemError(`failed to GET ${url.href} with status ${status}: ${reason}`);
  }
  return Readable.fromWeb(answer.body);
}

/** Docker takes a name without a scheme too. */
function addressOf(source: string): URL {
  const whole = source.includes('://') ? source : `http://${source}`;
  const url = URL.canParse(whole) ? new URL(whole) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol)) return url;
  throw invalidParameter(`invalid source of an import: ${JSON.stringify(source).slice(0, 200)}`);
}

async function ask(url: URL, signal: AbortSignal): Promise<Response> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new Error('timeout')), answerTimeoutMs);
  try {
    return await fetch(url, { signal: AbortSignal.any([signal, late.signal]) });
  } catch (error) {
    signal.throwIfAborted();
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw systemError(`Get "${url.href}": ${reason}`, error);
  } finally {
    clearTimeout(timer);
  }
}
