/** The child's side of `playScenario`: checks in order, each told of as a line of JSON. */

/** Checks by what they say; `failed` when one throws. */
export type NodeChecks = Readonly<Record<string, () => Promise<void>>>;

const checkTimeoutMs = 60_000;

async function timed(run: () => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end in ${checkTimeoutMs} ms`)), checkTimeoutMs);
  });
  try {
    await Promise.race([run(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Runs them, but for those that the parent skips; `tidy` follows each. */
export async function tellChecks(checks: NodeChecks, tidy: () => Promise<void>): Promise<void> {
  const skipped: unknown = JSON.parse(process.env['COMPAT_SKIP'] ?? '[]');
  for (const [says, run] of Object.entries(checks)) {
    if (Array.isArray(skipped) && skipped.includes(says)) continue;
    let error: string | undefined;
    try {
      await timed(run);
    } catch (thrown) {
      error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    }
    await tidy();
    console.log(JSON.stringify({ says, ...(error === undefined ? {} : { error }) }));
  }
}

/** What every scenario is told by its parent. */
export function scenarioWorld(): {
  readonly tag: string;
  readonly image: string;
  readonly socket: string;
} {
  const given = (name: string): string => {
    const value = process.env[name];
    if (value === undefined) throw new Error(`${name} is not set: the suite starts this program`);
    return value;
  };
  return {
    tag: given('COMPAT_TAG'),
    image: given('COMPAT_IMAGE'),
    socket: given('DOCKER_HOST').replace('unix://', ''),
  };
}
