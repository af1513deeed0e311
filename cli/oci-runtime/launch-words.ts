import { getSystemErrorMap } from 'node:util';
import { LaunchError } from '../../native/index.js';
import { OciError } from './oci-error.js';

/**
 * A launch that failed, in the words that podman and containerd look for; any other error as it
 * is.
 */
export function launchWords(error: unknown): unknown {
  if (!(error instanceof LaunchError)) return error;
  const reason = reasonOf(error.code);
  const hook = hookReasons[error.code];
  if (error.step?.op === 'hook') return new OciError(`${error.about}: ${hook ?? reason}`, error);
  if (error.step === undefined && hook !== undefined) {
    return new OciError(`hook startContainer: ${hook}`, error);
  }
  const isExec = error.step === undefined || error.step.op === 'execve';
  if (error.strand !== 'init' || !isExec) {
    return new OciError(`unable to start container process: ${error.about}: ${reason}`, error);
  }
  return new OciError(`exec: ${JSON.stringify(error.about)}: ${execReason(error, reason)}`, error);
}

const hookReasons: Readonly<Record<string, string>> = {
  ECANCELED: 'it failed', ETIMEDOUT: 'it took longer than its timeout',
};

function execReason({ about, code }: LaunchError, reason: string): string {
  if (code !== 'ENOENT') return reason;
  return about.includes('/') ? `stat ${about}: ${reason}` : 'executable file not found in $PATH';
}

function reasonOf(code: string): string {
  for (const [name, words] of getSystemErrorMap().values()) if (name === code) return words;
  return code;
}
