/**
 * systemd's manager over D-Bus, spoken by libsystemd's own sd-bus: who has systemd has it. Loaded
 * when it is first asked for; a call blocks a thread of the pool, not the caller's.
 */
import { existsSync } from 'node:fs';
import koffi from 'koffi';
import { errnoName } from './errno.js';
import { ErrnoError } from './errno-error.js';

/** systemd's own socket, for root: no bus daemon need be there. */
const PRIVATE_SOCKET = '/run/systemd/private';
const DESTINATION = 'org.freedesktop.systemd1';
const PATH = '/org/freedesktop/systemd1';
const MANAGER = 'org.freedesktop.systemd1.Manager';
const CALL_TIMEOUT_US = 10_000_000;

/** A property of a unit, by D-Bus's letter for its type: see org.freedesktop.systemd1(5). */
export type UnitProperty =
  | { readonly name: string; readonly type: 's'; readonly value: string }
  | { readonly name: string; readonly type: 'b'; readonly value: boolean }
  | { readonly name: string; readonly type: 't'; readonly value: bigint }
  /** Numbers of processes. */
  | { readonly name: string; readonly type: 'au'; readonly value: readonly number[] }
  | { readonly name: string; readonly type: 'ay'; readonly value: Uint8Array };

/** A connection to the manager of this machine. Calls come one after the other. */
export interface Systemd {
  /** Queues the start of a new unit. Rejects with `ErrnoError`: EEXIST when it is there already. */
  startTransientUnit(unit: string, properties: readonly UnitProperty[]): Promise<void>;
  /** Queues the end of a unit. Rejects with `ErrnoError`: ENOENT when there is no such unit. */
  stopUnit(unit: string): Promise<void>;
  /** Until the next boot. Rejects with `ErrnoError`: ENOENT when there is no such unit. */
  setUnitProperties(unit: string, properties: readonly UnitProperty[]): Promise<void>;
  /** Resolves when all that it was asked for before has been begun: it does one thing at a time. */
  settle(): Promise<void>;
  close(): void;
}

/**
 * The machine's, or a user's by its socket. Throws `ErrnoError`: ENOENT when libsystemd.so.0 is not
 * there, or systemd does not run.
 */
export function openSystemd(socket?: string): Systemd {
  const library = loadLibrary();
  const bus = connect(library, socket);
  return {
    startTransientUnit: (unit, properties) =>
      call(library, bus, 'StartTransientUnit', (message) => {
        addText(library, message, unit);
        addText(library, message, 'fail');
        addProperties(library, message, properties);
        inside(library, message, { kind: 'a', of: '(sa(sv))' }, () => undefined);
      }),
    stopUnit: (unit) =>
      call(library, bus, 'StopUnit', (message) => {
        addText(library, message, unit);
        addText(library, message, 'replace');
      }),
    setUnitProperties: (unit, properties) =>
      call(library, bus, 'SetUnitProperties', (message) => {
        addText(library, message, unit);
        checked(library.appendInt(message, letter('b'), [1]), unit);
        addProperties(library, message, properties);
      }),
    settle: () => call(library, bus, 'ListJobs', () => undefined),
    close: () => {
      library.flushAndClose(bus);
    },
  };
}

/** sd_bus_error, as koffi fills it. */
interface CallError {
  name: string | null;
  message: string | null;
  needFree: number;
}

type Library = ReturnType<typeof loadLibrary>;
type Pointer = unknown;

function loadLibrary() {
  let library;
  try {
    library = koffi.load('libsystemd.so.0');
  } catch {
    throw new ErrnoError('dlopen', 'ENOENT', 'libsystemd.so.0');
  }
  // Its words are the library's to free: a few bytes for each call that fails stay.
  const errorType = koffi.struct({ name: 'str', message: 'str', needFree: 'int' });
  const errorPointer = koffi.inout(koffi.pointer(errorType));
  const outPointer = koffi.out(koffi.pointer('void *'));
  const append = 'sd_bus_message_append_basic';
  return {
    create: library.func('sd_bus_new', 'int', [outPointer]),
    openSystem: library.func('sd_bus_open_system', 'int', [outPointer]),
    setAddress: library.func('sd_bus_set_address', 'int', ['void *', 'str']),
    start: library.func('sd_bus_start', 'int', ['void *']),
    flushAndClose: library.func('sd_bus_flush_close_unref', 'void *', ['void *']),
    newCall: library.func('sd_bus_message_new_method_call', 'int', [
      'void *', outPointer, 'str', 'str', 'str', 'str',
    ]),
    unref: library.func('sd_bus_message_unref', 'void *', ['void *']),
    open: library.func('sd_bus_message_open_container', 'int', ['void *', 'char', 'str']),
    close: library.func('sd_bus_message_close_container', 'int', ['void *']),
    appendText: library.func(append, 'int', ['void *', 'char', 'str']),
    appendInt: library.func(append, 'int', ['void *', 'char', 'int *']),
    appendWide: library.func(append, 'int', ['void *', 'char', 'uint64_t *']),
    appendArray: library.func('sd_bus_message_append_array', 'int', [
      'void *', 'char', 'void *', 'size_t',
    ]),
    call: library.func('sd_bus_call', 'int', [
      'void *', 'void *', 'uint64_t', errorPointer, outPointer,
    ]),
  };
}

const letter = (type: string): number => type.charCodeAt(0);

/** sd-bus answers with a negative errno. */
function checked(result: unknown, about: string): void {
  // koffi declares the results as int.
  const number = result as number;
  if (number < 0) throw new ErrnoError('systemd', errnoName(-number), about);
}

function connect(library: Library, socket = PRIVATE_SOCKET): Pointer {
  const bus: Pointer[] = [null];
  if (socket === PRIVATE_SOCKET && !existsSync(socket)) {
    checked(library.openSystem(bus), 'the system bus');
    return bus[0];
  }
  checked(library.create(bus), socket);
  checked(library.setAddress(bus[0], `unix:path=${addressText(socket)}`), socket);
  checked(library.start(bus[0]), socket);
  return bus[0];
}

/** What D-Bus's specification does not let stand for itself in a value is escaped. */
const addressText = (path: string): string =>
  [...Buffer.from(path)].map((byte) => {
    const letter = String.fromCharCode(byte);
    return /[-0-9A-Za-z_/.*]/.test(letter) ? letter : `%${byte.toString(16).padStart(2, '0')}`;
  }).join('');

async function call(
  library: Library,
  bus: Pointer,
  member: string,
  fill: (message: Pointer) => void,
): Promise<void> {
  const made: Pointer[] = [null];
  checked(library.newCall(bus, made, DESTINATION, PATH, MANAGER, member), member);
  const [message] = made;
  const error: CallError = { name: null, message: null, needFree: 0 };
  const reply: Pointer[] = [null];
  try {
    fill(message);
    const result = await new Promise((resolve, reject) => {
      const done = (failure: unknown, value: unknown): void => {
        if (failure instanceof Error) reject(failure);
        else resolve(value);
      };
      library.call.async(bus, message, CALL_TIMEOUT_US, error, reply, done);
    });
    checked(result, `${member}: ${error.message ?? 'no answer'}`);
  } finally {
    library.unref(message);
    if (reply[0] !== null) library.unref(reply[0]);
  }
}

function addText(library: Library, message: Pointer, text: string): void {
  checked(library.appendText(message, letter('s'), text), text);
}

/** A container of D-Bus: `a` array, `r` struct, `v` variant. */
function inside(
  library: Library,
  message: Pointer,
  { kind, of }: { readonly kind: 'a' | 'r' | 'v'; readonly of: string },
  fill: () => void,
): void {
  checked(library.open(message, letter(kind), of), of);
  fill();
  checked(library.close(message), of);
}

function addProperties(
  library: Library,
  message: Pointer,
  properties: readonly UnitProperty[],
): void {
  inside(library, message, { kind: 'a', of: '(sv)' }, () => {
    for (const property of properties) {
      inside(library, message, { kind: 'r', of: 'sv' }, () => {
        addText(library, message, property.name);
        const type = { kind: 'v', of: property.type } as const;
        inside(library, message, type, () => addValue(library, message, property));
      });
    }
  });
}

function addValue(library: Library, message: Pointer, property: UnitProperty): void {
  const { name, type, value } = property;
  const code = letter(type.slice(-1));
  switch (type) {
    case 's':
      return addText(library, message, value);
    case 'b':
      return checked(library.appendInt(message, code, [value ? 1 : 0]), name);
    case 't':
      return checked(library.appendWide(message, code, [value]), name);
    case 'au':
      return addArray(library, message, code, new Uint8Array(Uint32Array.from(value).buffer));
    case 'ay':
      return addArray(library, message, code, value);
  }
}

function addArray(library: Library, message: Pointer, code: number, bytes: Uint8Array): void {
  checked(library.appendArray(message, code, bytes, bytes.length), 'array');
}
