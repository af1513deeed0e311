/**
 * Who a process runs as: `name`, `uid`, `name:group`, `uid:gid` … looked up in the image's own
 * /etc/passwd and /etc/group, which are hostile input. What looks like a number is one, never a
 * name; ids are within 0…2147483647.
 */
import { invalidParameter } from '../../../api-spec/errors.js';

/** Numbers only: no name is looked up after this. */
export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  /** The primary group first, then the user's other groups and those added; no group twice. */
  readonly groups: readonly number[];
  readonly home: string;
}

/** What the container says of its user. */
export interface UserRequest {
  /** `Config.User`; empty is root. */
  readonly user: string;
  readonly groupAdd: readonly string[];
}

/** The two files of the image that names are looked up in. */
export interface AccountFiles {
  /** Contents; empty when absent. */
  readonly passwd: string;
  readonly group: string;
}

const MAX_ID = 2_147_483_647;
/** Lines beyond these are an attack, not a system. */
const MAX_LINES = 65_536;

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** Throws `ApiError` 400 in Docker's words. */
export function resolveUser(request: UserRequest, files: AccountFiles): ResolvedUser {
  const [userName = '', groupName = ''] = split(request.user);
  const groups = groupEntries(files.group);
  const number = userName === '' ? 0 : asNumber(userName);
  const entry = passwdEntries(files.passwd).find((each) =>
    number === undefined ? each.name === userName : each.uid === number,
  );
  if (entry === undefined && number === undefined) {
    throw invalidParameter(`unable to find user ${userName}: no matching entries in passwd file`);
  }
  const uid = inRange(entry?.uid ?? number ?? 0);
  const gid = inRange(groupName === '' ? (entry?.gid ?? 0) : groupId(groupName, groups));
  const own = groupName !== '' || entry === undefined ? [] : memberships(entry.name, groups);
  const added = request.groupAdd.map((name) => inRange(groupId(name, groups, 'Unable')));
  return { uid, gid, groups: [...new Set([gid, ...own, ...added])], home: entry?.home || '/' };
}

function split(user: string): string[] {
  const at = user.indexOf(':');
  return at < 0 ? [user] : [user.slice(0, at), user.slice(at + 1)];
}

/** As Go's strconv.Atoi: what does not fit 64 bits is no number. */
function asNumber(text: string): number | undefined {
  if (!/^[+-]?\d{1,19}$/.test(text)) return undefined;
  return BigInt(text) > 2n ** 63n - 1n ? undefined : Number(text);
}

function inRange(id: number): number {
  if (!Number.isInteger(id) || id < 0 || id > MAX_ID) {
    throw invalidParameter(`uids and gids must be in range 0-${MAX_ID}`);
  }
  return id;
}

function groupId(
  name: string,
  groups: readonly GroupEntry[],
  unable = 'unable',
): number {
  const number = asNumber(name);
  if (number !== undefined) return number;
  const entry = groups.find((each) => each.name === name);
  if (entry === undefined) {
    throw invalidParameter(`${unable} to find group ${name}: no matching entries in group file`);
  }
  return entry.gid;
}

function memberships(name: string, groups: readonly GroupEntry[]): number[] {
  return groups
    .filter((group) => group.members.includes(name) && group.gid >= 0 && group.gid <= MAX_ID)
    .map((group) => group.gid);
}

function passwdEntries(text: string): PasswdEntry[] {
  return records(text).map(([name = '', , uid = '', gid = '', , home = '']) => ({
    name, uid: asNumber(uid) ?? -1, gid: asNumber(gid) ?? -1, home,
  }));
}

function groupEntries(text: string): GroupEntry[] {
  return records(text).map(([name = '', , gid = '', members = '']) => ({
    name, gid: asNumber(gid) ?? -1, members: members.split(',').filter((each) => each !== ''),
  }));
}

function records(text: string): string[][] {
  const lines = text.split('\n', MAX_LINES + 1);
  if (lines.length > MAX_LINES) {
    throw invalidParameter(`passwd or group file has more than ${MAX_LINES} lines`);
  }
  return lines
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}
