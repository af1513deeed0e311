/** Names of systemd's scopes and slices, and where their groups are. Pure. */

/** A scope by its names. */
export interface Scope {
  /** `tsdocker-1f3a.scope` */
  readonly unit: string;
  /** `system.slice` */
  readonly slice: string;
  /** Of the group, in every hierarchy. */
  readonly path: string;
}

const DEFAULT_SLICE = 'system.slice';
/** systemd.unit(5): what a name may be made of, and how long it may be. */
const unitName = /^[\w:.\\@-]{1,240}$/;

/**
 * `slice:prefix:name`, as OCI runtimes have it; an empty slice is `system.slice`, an empty prefix
 * none. Undefined for what is not of that form. Pure.
 */
export function parseScope(text: string): Scope | undefined {
  const [given = '', prefix = '', name = '', ...rest] = text.split(':');
  const slice = given === '' ? DEFAULT_SLICE : given;
  const unit = `${prefix === '' ? '' : `${prefix}-`}${name}.scope`;
  const folders = sliceFolders(slice);
  if (rest.length > 0 || name === '' || !unitName.test(unit) || folders === undefined) {
    return undefined;
  }
  return { unit, slice, path: `${folders}/${unit}` };
}

/** `a-b.slice` is in `a.slice`: `/a.slice/a-b.slice`; `-.slice` is the root. */
function sliceFolders(slice: string): string | undefined {
  if (slice === '-.slice') return '';
  const [, stem = ''] = /^([\w.\\@-]{1,200})\.slice$/.exec(slice) ?? [];
  const parts = stem.split('-');
  if (parts.includes('')) return undefined;
  return parts.map((_, at) => `/${parts.slice(0, at + 1).join('-')}.slice`).join('');
}

/** The scope whose group this is: `parseScope` has made the path. */
export function scopeAt(path: string): Scope {
  const [unit = '', slice = '-.slice'] = path.split('/').filter((part) => part !== '').reverse();
  return { unit, slice, path };
}
