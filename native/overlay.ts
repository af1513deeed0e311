/** The options of an overlay mount as the one string that mount(2) takes. Pure. */

/** As in a storage driver's recipe. */
export interface OverlayParts {
  readonly upperdir: string;
  readonly workdir: string;
  readonly volatile: boolean;
  readonly options: readonly string[];
  readonly shortNames: { readonly dir: string; readonly lowerdir: string };
}

/**
 * One page at most: hence the lower names relative to a folder of short links, which has to be the
 * working directory.
 */
export function overlayData(overlay: OverlayParts): string {
  return [
    `lowerdir=${overlay.shortNames.lowerdir}`,
    `upperdir=${escaped(overlay.upperdir)}`,
    `workdir=${escaped(overlay.workdir)}`,
    ...overlay.options,
    ...(overlay.volatile ? ['volatile'] : []),
  ].join(',');
}

/** The upper folder as the topmost of the lower ones, for a mount that writes elsewhere. */
export function lowerOnlyData({ upperdir, shortNames, options }: OverlayParts): string {
  const top = escaped(upperdir).replace(/:/g, '\\:');
  return [`lowerdir=${top}:${shortNames.lowerdir}`, ...options].join(',');
}

function escaped(path: string): string {
  return path.replace(/[\\,]/g, '\\$&');
}
