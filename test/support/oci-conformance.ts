/**
 * Requirements of the OCI runtime specification, held against this project's runtime and, for
 * comparison, against Debian's crun and runc. With `OCI_REPORT=/tmp/report` each outcome is a line
 * of that file, of which `oci-table.js` makes the table in `docs/`.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import { lacking, packageCache } from './debian-package.js';
import {
  ended, nodeRuntime, ociWorld, ownRuntime, type OciProgram, type OciWorld,
} from './oci-bundle.js';

/** A sentence of the specification with MUST in it. */
export interface Requirement {
  /** The heading that it stands under. */
  readonly section: string;
  readonly says: string;
  /** Rejects when the runtime does otherwise. */
  readonly holds: (box: Box) => Promise<unknown>;
  /** Why it cannot be tried on this machine; for all runtimes. */
  readonly skip?: string | false;
}

/** A bundle and a runtime, and what most requirements ask of them. */
export interface Box extends OciWorld {
  /** What a shell script in the container prints; it must end well. */
  readonly says: (script: string) => Promise<string>;
  /** The container is created; its output goes to `output`. */
  readonly create: (script?: string) => Promise<void>;
  /** The same, without a change of what it is to run. */
  readonly createAsItIs: () => Promise<void>;
  /** The creation fails, and there is no container then. */
  readonly refuses: () => Promise<void>;
  /** A command fails; what it said. */
  readonly fails: (...args: readonly string[]) => Promise<string>;
  /** A command goes well. */
  readonly does: (...args: readonly string[]) => Promise<string>;
  readonly becomes: (status: string) => Promise<void>;
  /** What the created container has printed so far. */
  readonly output: () => string;
}

/** A runtime of the comparison. */
export interface Subject {
  readonly name: 'tsdocker-runtime' | 'crun' | 'runc';
  readonly program: OciProgram;
  readonly skip: string | false;
  /** One more way in to the same runtime: tried, and not in the table. */
  readonly way?: string;
}

/** A line of the report. */
export interface Outcome {
  readonly runtime: Subject['name'];
  readonly version: string;
  readonly document: string;
  readonly section: string;
  readonly says: string;
  readonly held: boolean | 'skipped';
}

/** Debian's runtime of this name, from the cache of packages. */
export function debianRuntime(name: 'crun' | 'runc', path: string): Subject {
  const root = join(packageCache, name);
  const triplet = { x64: 'x86_64', arm64: 'aarch64' }[process.arch as string] ?? process.arch;
  const libraries = ['usr/lib', 'lib'].map((folder) => join(root, folder, `${triplet}-linux-gnu`));
  return {
    name, skip: lacking(name),
    program: {
      command: [join(root, path)], environment: { LD_LIBRARY_PATH: libraries.join(':') },
    },
  };
}

/** This project's first. */
export const subjects: readonly Subject[] = [
  { name: 'tsdocker-runtime', program: ownRuntime, skip: false },
  debianRuntime('crun', 'usr/bin/crun'),
  debianRuntime('runc', 'usr/sbin/runc'),
];

/** This project's, where every command is Node's. */
export const byNode: Subject = {
  name: 'tsdocker-runtime', program: nodeRuntime, skip: false, way: 'by Node',
};

/** Of many outcomes so large a share is good, whoever's they are: else the tests are wrong. */
const MOST = 2 / 3;
const MANY = 10;

/** Makes a test of each runtime, with a subtest of each requirement of this document. */
export function holdRequirements(
  document: string,
  requirements: readonly Requirement[],
  others: readonly Subject[] = [],
): void {
  for (const subject of [...subjects, ...others]) {
    const { name, skip, way = '' } = subject;
    test(`${document} as ${name} has it ${way}`.trimEnd(), { skip }, async (t) => {
      const version = versionOf(subject.program);
      const outcomes: Outcome['held'][] = [];
      for (const requirement of requirements) {
        const { section, says } = requirement;
        await t.test(`${document}, ${section}: ${says}`, async (each) => {
          const held = await tryOut(each, subject, requirement);
          outcomes.push(held);
          if (way === '') report({ runtime: name, version, document, section, says, held });
        });
      }
      const tried = outcomes.filter((held) => held !== 'skipped');
      const share = tried.filter((held) => held).length / tried.length;
      t.ok(tried.length < MANY || share >= MOST, `${tried.length} were tried, most of them hold`);
    });
  }
}

async function tryOut(
  t: Test,
  subject: Subject,
  requirement: Requirement,
): Promise<Outcome['held']> {
  const { skip = false, holds } = requirement;
  if (skip !== false) {
    t.pass(skip, { skip });
    return 'skipped';
  }
  const box = boxOf(await ociWorld(t, subject.program));
  try {
    await holds(box);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (subject.name !== 'tsdocker-runtime') t.pass(`not so: ${reason}`);
    else t.fail(reason);
    return false;
  }
  t.pass('it holds');
  return true;
}

function versionOf({ command, environment }: OciProgram): string {
  const [program = '', ...args] = command;
  const text = execFileSync(program, [...args, '--version'], {
    encoding: 'utf8', env: { ...process.env, ...environment },
  });
  return /version (\S+)/.exec(text)?.[1] ?? '';
}

function report(outcome: Outcome): void {
  const path = process.env['OCI_REPORT'];
  if (path !== undefined) fs.appendFileSync(path, `${JSON.stringify(outcome)}\n`);
}

function boxOf(world: OciWorld): Box {
  const out = join(world.folder, 'out');
  // Debian's crun knows no later version.
  world.configure((config) => (config['ociVersion'] = '1.0.2'));
  const script = (text: string): void =>
    world.configure((config) => (config.process['args'] = ['sh', '-c', text]));
  // Into a file: a container that is created holds its streams open.
  const make = async (): Promise<number | null> => {
    const fd = fs.openSync(out, 'a');
    const child = world.start(['create', world.id], fd);
    child.stdin?.end();
    fs.closeSync(fd);
    return (await ended(child)).code;
  };
  const output = (): string => fs.readFileSync(out, 'utf8');
  const createAsItIs = async (): Promise<void> => assert.equal(await make(), 0, output());
  const does = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await world.call(...args);
    assert.equal(code, 0, `${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  const fails = async (...args: readonly string[]): Promise<string> => {
    const { code, stderr } = await world.call(...args);
    assert.notEqual(code, 0, `${args.join(' ')} goes well`);
    return stderr;
  };
  return {
    ...world, output, does, fails,
    says: async (text) => {
      script(text);
      return (await does('run', world.id)).trim();
    },
    create: (text = 'sleep 100') => {
      script(text);
      return createAsItIs();
    },
    createAsItIs,
    refuses: async () => {
      assert.notEqual(await make(), 0, 'it is created');
      await fails('state', world.id);
    },
    becomes: async (status) => assert.ok(await world.reach(status), `it does not become ${status}`),
  };
}
