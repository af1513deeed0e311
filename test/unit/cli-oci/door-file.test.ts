import { readFileSync } from 'node:fs';
import { test } from 'tap';
import {
  DOOR_FILE, doorFields, DOOR_MAGIC, doorOf, encodeDoor,
} from '../../../cli/oci-runtime/door-file.js';
import { stateDocument } from '../../../cli/oci-runtime/state.js';
import type { ContainerRecord } from '../../../cli/oci-runtime/store.js';

const header = readFileSync(
  new URL('../../../../native/oci-door/door.h', import.meta.url), 'utf8',
);
const noHooks = {
  prestart: [], createRuntime: [], createContainer: [], startContainer: [], poststart: [],
  poststop: [],
};
const record: ContainerRecord = {
  id: 'c', ociVersion: '1.2.0', bundle: '/b "status": "stopped"', rootfs: '/r',
  created: '2026-01-02T03:04:05.678Z', cgroupsPath: '/c', hooks: noHooks, command: 'x', pid: 77,
  pidStart: '12345678901',
  annotations: { '"status": "': '"status": "stopped"' },
};
const places = { folders: ['/f/a', '/f/b'], home: '/f/a', freezer: '/f/b/freezer.state' };

test('the C header has the fields of the file, in their order', async (t) => {
  const [, list = ''] = /define DOOR_FIELDS\(.*?\n((?:.*\\\n)*.*\n)/.exec(header) ?? [];
  const inC = [...list.matchAll(/(NUMBER|TEXTS?)\((\w+)\)/g)].map(([, kind = '', name = '']) => [
    name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()), kind.toLowerCase(),
  ]);
  t.same(inC, Object.entries(doorFields));
  t.match(header, `#define DOOR_MAGIC "${DOOR_MAGIC}"\n`);
  t.match(header, `#define DOOR_FILE "${DOOR_FILE}"\n`);
});

test('the state is told in two halves, and so is the state document', async (t) => {
  const { stateHead, stateTail } = doorOf(record, 1, places);
  const whole = (status: Parameters<typeof stateDocument>[1]): string =>
    `${JSON.stringify(stateDocument(record, status), null, 2)}\n`;
  t.equal(`${stateHead}stopped"${stateTail}`, whole('stopped'));
  t.equal(`${stateHead}paused",\n  "pid": 77${stateTail}`, whole('paused'));
});

test('what the program has to leave to Node is in the file', async (t) => {
  const hook = { path: '/x', args: [], env: [] };
  const flags = (more: Partial<ContainerRecord>): readonly bigint[] => {
    const door = doorOf({ ...record, ...more }, 2, places);
    return [door.hasProcess, door.hasPoststart, door.hasPoststop];
  };
  t.same(flags({}), [1n, 0n, 0n]);
  t.same(flags({ command: '' }), [0n, 0n, 0n]);
  t.same(flags({ hooks: { ...noHooks, poststart: [hook] } }), [1n, 1n, 0n]);
  t.same(flags({ hooks: { ...noHooks, poststop: [hook] } }), [1n, 0n, 1n]);
});

test('the file is its magic and its fields', async (t) => {
  const bytes = encodeDoor(doorOf(record, 1, places));
  t.equal(bytes.toString('latin1', 0, 8), DOOR_MAGIC);
  t.equal(bytes.readBigUInt64LE(8), 77n);
  t.equal(bytes.readBigUInt64LE(16), 12345678901n);
  t.equal(bytes.readUInt32LE(56), places.home.length);
  t.equal(bytes.toString('latin1', 60, 65), '/f/a\0');
  t.throws(
    () => encodeDoor({ ...doorOf(record, 1, places), stateTail: 'x'.repeat(2 ** 20) }), RangeError,
  );
});
