/** The options of an overlay mount as the one string that mount(2) takes. Pure. */

/** Layers to be looked at only, as in a storage driver's recipe. */
export interface LowerParts {
  /** `userxattr`, `metacopy=off` and such, each as `key` or `key=value`. */
  readonly options: readonly string[];
  /**
   * For kernels whose overlay takes no `lowerdir+` (before 6.8): one string of names relative
   * to `shortNames.dir`, short enough for one page of mount data.
   */
  readonly shortNames: { readonly dir: string; readonly lowerdir: string };
}

/** The same with what takes changes. */
export interface OverlayParts extends LowerParts {
  readonly upperdir: string;
  readonly workdir: string;
  readonly volatile: boolean;
}

/**
 * One page at most: hence the lower names relative to a folder of short links, which has to be the
 * working directory.
 */
export function overlayData(overlay: LowerParts | OverlayParts): string {
  const lower = `lowerdir=${overlay.shortNames.lowerdir}`;
  if (!('upperdir' in overlay)) return [lower, ...overlay.options].join(',');
  return [
    lower,
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
