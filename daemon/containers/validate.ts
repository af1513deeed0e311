/** What no container may ask for, whatever its image: pure, in Docker's words. */
import { invalidParameter } from '../../api-spec/errors.js';
import type { ContainerConfig, HostConfig, RestartPolicy } from '../../api-spec/index.js';
import { parseSignal } from './signals.js';

/** The longest environment entry that execve(2) takes: MAX_ARG_STRLEN. */
const maxEnvEntryBytes = 128 * 1024;
const maxEnvBytes = 2 * 1024 * 1024;
const minHealthNano = 1_000_000;
const maxLabelsBytes = 1024 * 1024;

/** Refuses (`ApiError` 400) a name that is none. */
export function checkName(
  name: string,
  { given = name, prefix = '' }: { readonly given?: string; readonly prefix?: string } = {},
): void {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name) && name.length <= 255) return;
  throw invalidParameter(
    `${prefix}Invalid container name (${given}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
  );
}

/** Refuses (`ApiError` 400) what is wrong in itself. */
export function checkConfig(config: ContainerConfig, hostConfig: HostConfig): void {
  const { WorkingDir: cwd } = config;
  if (cwd !== undefined && cwd !== '' && !cwd.startsWith('/')) {
    throw invalidParameter(
      `the working directory '${cwd}' is invalid, it needs to be an absolute path`,
    );
  }
  if (config.StopSignal !== undefined && config.StopSignal !== '') parseSignal(config.StopSignal);
  checkEnv(config.Env ?? []);
  checkLabels(config.Labels ?? {});
  checkHealth(config);
  checkRestartPolicy(hostConfig.RestartPolicy, hostConfig.AutoRemove === true);
}

function checkEnv(env: readonly string[]): void {
  let total = 0;
  for (const entry of env) {
    if (entry === '' || entry.startsWith('=') || entry.includes('\0')) {
      throw invalidParameter(`invalid environment variable: ${entry}`);
    }
    const bytes = Buffer.byteLength(entry) + 1;
    total += bytes;
    if (bytes <= maxEnvEntryBytes && total <= maxEnvBytes) continue;
    throw invalidParameter(
      `the environment is too large: one variable may take ${maxEnvEntryBytes} bytes, ` +
        `all together ${maxEnvBytes}`,
    );
  }
}

function checkLabels(labels: Readonly<Record<string, string>>): void {
  const bytes = Object.entries(labels).reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
  if (bytes > maxLabelsBytes) {
    throw invalidParameter(
      `the labels are too large: all together may take ${maxLabelsBytes} bytes`,
    );
  }
}

function checkHealth({ Healthcheck: health }: ContainerConfig): void {
  const tooShort = (['Interval', 'Timeout', 'StartPeriod', 'StartInterval'] as const).find(
    (field) => health?.[field] && health[field] < minHealthNano,
  );
  if (tooShort !== undefined) {
    throw invalidParameter(`${tooShort} in Healthcheck cannot be less than 1ms`);
  }
  if ((health?.Retries ?? 0) < 0) {
    throw invalidParameter('Retries in Healthcheck cannot be negative');
  }
}

/** Refuses (`ApiError` 400) a policy that Docker does not know, or that `--rm` contradicts. */
export function checkRestartPolicy(policy: RestartPolicy | undefined, autoRemove: boolean): void {
  const name = policy?.Name ?? '';
  const retries = policy?.MaximumRetryCount ?? 0;
  if (!['', 'no', 'always', 'on-failure', 'unless-stopped'].includes(name)) {
    throw invalidParameter(
      `invalid restart policy: unknown policy '${name}'; ` +
        "use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
    );
  }
  if (retries !== 0 && name !== 'on-failure') {
    throw invalidParameter(
      "invalid restart policy: maximum retry count can only be used with 'on-failure'" +
        (retries < 0 ? ' and cannot be negative' : ''),
    );
  }
  if (retries < 0) {
    throw invalidParameter('invalid restart policy: maximum retry count cannot be negative');
  }
  if (autoRemove && name !== '' && name !== 'no') {
    throw invalidParameter("can't create 'AutoRemove' container with restart policy");
  }
}
