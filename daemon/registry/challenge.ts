/** Reads `WWW-Authenticate`. Pure. */

/** What a registry wants to see before it answers. */
export interface Challenge {
  /** `basic`, `bearer`, … */
  readonly scheme: string;
  /** By lower-case name: `realm`, `service`, `scope`. */
  readonly parameters: Readonly<Record<string, string>>;
}

const maxHeaderLength = 8192;
const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const parameter = new RegExp(`(${token})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${token}))`, 'y');
const schemeStart = new RegExp(`(${token})(?=[\\s,]|$)`, 'y');
const separator = /[\s,]*/y;

/** All challenges of one header, in order; what follows something unreadable is left out. */
export function parseChallenges(header: string): readonly Challenge[] {
  const text = header.slice(0, maxHeaderLength);
  const found: { scheme: string; parameters: Record<string, string> }[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  while (at < text.length) {
    take(separator);
    const pair = take(parameter);
    if (pair !== null) {
      const [, name = '', quoted, bare = ''] = pair;
      const value = quoted === undefined ? bare : quoted.replace(/\\(.)/g, '$1');
      const current = found.at(-1);
      if (current !== undefined) current.parameters[name.toLowerCase()] = value;
      continue;
    }
    const scheme = take(schemeStart);
    if (scheme === null) break;
    found.push({ scheme: (scheme[1] ?? '').toLowerCase(), parameters: {} });
  }
  return found;
}
