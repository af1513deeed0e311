/** Platforms in the words of images. Pure. */
import { invalidParameter } from '../../api-spec/errors.js';

const names: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

/** `amd64`, `arm64`. */
export function hostArchitecture(): string {
  return names[process.arch] ?? process.arch;
}

const alone = ['', 'linux', 'amd64', 'arm64', 'arm', '386'];

/** `os[/arch[/variant]]` in lower case; `ApiError` 400 in Docker's words for what is none. */
export function checkPlatform(platform: string): string {
  const parts = platform.toLowerCase().split('/');
  const isRight = parts.length <= 3 && parts.every((part) => /^[a-z0-9_.-]+$/.test(part));
  const isKnown = parts.length > 1 || alone.includes(platform);
  if (platform === '' || (isRight && isKnown)) return platform.toLowerCase();
  throw invalidParameter(
    `${JSON.stringify(platform)}: unknown operating system or architecture: invalid argument`,
  );
}
