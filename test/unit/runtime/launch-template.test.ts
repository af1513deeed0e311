/** A program from a template is the one that compiling would have made. */
import { test } from 'tap';
import {
  compileLaunch,
  type CompiledLaunch,
  type LaunchPlan,
} from '../../../daemon/runtime/compile.js';
import { encodedLaunch } from '../../../daemon/runtime/launch-template.js';
import { encodeProgram } from '../../../native/launch/encode.js';
import { configOf, type ConfigOptions } from './builders.js';

const ids = ['4f'.repeat(32), `${'a1b2c3d4e5f6'.repeat(5)}9876`, '0123456789abcdef'.repeat(4)];

/** What a container of this id would be given, everywhere where ids go. */
function wishOf(id: string, options: ConfigOptions) {
  const config = configOf({
    ...options,
    sandbox: { hostname: id.slice(0, 12), hostsPath: `/d/containers/${id}/hosts` },
    config: { Env: [`WHO=${id.slice(0, 16)}`, 'FOO=bar'], ...options.config },
  });
  const plan: LaunchPlan = {
    containerId: id, bundle: `/d/containers/${id}`, rootfs: { kind: 'bind', source: `/v/${id}/x` },
    cgroup: { kind: 'clone', folder: `/sys/fs/cgroup/tsdocker-x/${id}` },
    seccomp: { filter: Buffer.alloc(8), flags: 4 }, stdin: false, stdinOnce: false, hasKcore: false,
    isConfined: false,
  };
  return {
    inputs: JSON.stringify([config, plan]),
    compile: (): CompiledLaunch => compileLaunch(config, plan),
  };
}

const kinds: readonly ConfigOptions[] = [
  {},
  { host: { Privileged: true } },
  { host: { ReadonlyRootfs: true, Tmpfs: { '/t': 'size=1m' } }, config: { Tty: true } },
];

test('the bytes are those of the program, for the first id and for others', async (t) => {
  for (const options of kinds) {
    for (const id of ids) {
      const { inputs, compile } = wishOf(id, options);
      const { program, ...rest } = encodedLaunch(id, inputs, compile);
      const { program: compiled, ...others } = compile();
      t.ok(Buffer.from(program.bytes).equals(encodeProgram(compiled)), JSON.stringify(options));
      t.same(rest, others);
      t.same(program.source(), compiled);
    }
  }
});

test('it is compiled once, and again for whatever differs in more than the id', async (t) => {
  let compiled = 0;
  const run = (id: string, options: ConfigOptions): void => {
    const { inputs, compile } = wishOf(id, options);
    encodedLaunch(id, inputs, () => {
      compiled += 1;
      return compile();
    });
  };
  for (const id of ids) run(id, { config: { Env: ['ONLY=here'] } });
  t.equal(compiled, 1);
  run(ids[0] ?? '', { config: { Env: ['ONLY=there'] } });
  t.equal(compiled, 2);
});

test('a template is not changed by those who use it', async (t) => {
  const [one = '', two = ''] = ids;
  const make = (id: string): Uint8Array => {
    const { inputs, compile } = wishOf(id, { config: { Env: ['KEPT=1'] } });
    return encodedLaunch(id, inputs, compile).program.bytes;
  };
  const first = Buffer.from(make(one));
  make(two).fill(0);
  t.ok(first.equals(make(one)));
});
