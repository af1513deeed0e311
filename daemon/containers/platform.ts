import { invalidParameter, notFound } from '../../api-spec/errors.js';
import type { ContainerImage } from './needs.js';

/**
 * Refuses an image of another platform than the one asked for, in the words on which clients pull
 * the right one: `ApiError` 404. 400 for what is no platform.
 */
export function checkPlatform(
  image: ContainerImage,
  name: string,
  wanted: string | undefined,
): void {
  if (wanted === undefined || wanted === '') return;
  const parts = wanted.toLowerCase().split('/');
  const [os = '', architecture, variant] = parts;
  if (parts.length > 3 || !parts.every((part) => /^[a-z0-9_-]+$/.test(part))) {
    throw invalidParameter(`"${wanted}": cannot parse platform specifier: invalid argument`);
  }
  if (image.os === os && fitsArchitecture(image, architecture, variant)) return;
  const actual = [image.os, image.architecture, image.variant].filter(Boolean).join('/');
  throw notFound(
    `image with reference ${name} was found but does not match the specified platform: ` +
      `wanted ${parts.length === 1 ? `${os}/${image.architecture}` : wanted}, actual: ${actual}`,
  );
}

function fitsArchitecture(
  image: ContainerImage,
  architecture: string | undefined,
  variant: string | undefined,
): boolean {
  if (architecture !== undefined && image.architecture !== normal(architecture)) return false;
  return variant === undefined || image.variant === undefined || image.variant === variant;
}

function normal(architecture: string): string {
  const aliases: Readonly<Record<string, string>> = {
    x86_64: 'amd64',
    'x86-64': 'amd64',
    aarch64: 'arm64',
  };
  return aliases[architecture] ?? architecture;
}
