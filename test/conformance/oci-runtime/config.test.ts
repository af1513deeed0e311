/** config.md of the OCI runtime specification: root, mounts, host names, annotations. */
import assert from 'node:assert/strict';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../../support/oci-bundle.js';
import { holdRequirements, type Box, type Requirement } from '../../support/oci-conformance.js';

const root = (config: Config): Record<string, unknown> => config['root'] as Record<string, unknown>;

const rootRequirements: readonly Requirement[] = [
  {
    section: 'Specification version', says: 'the versions 1.0.0 to 1.0.2 are taken',
    holds: async (box) => {
      for (const version of ['1.0.0', '1.0.1', '1.0.2']) {
        box.configure((config) => (config['ociVersion'] = version));
        assert.equal(await box.says('echo well'), 'well');
      }
    },
  },
  {
    section: 'Specification version', says: 'the versions 1.1.0 to 1.3.0 are taken',
    holds: async (box) => {
      for (const version of ['1.1.0', '1.2.0', '1.2.1', '1.3.0']) {
        box.configure((config) => (config['ociVersion'] = version));
        assert.equal(await box.says('echo well'), 'well');
      }
    },
  },
  {
    section: 'Specification version', says: 'what is no semantic version is an error',
    holds: async (box) => {
      box.configure((config) => (config['ociVersion'] = 'one'));
      await box.refuses();
    },
  },
  {
    section: 'Root', says: 'a directory must be at the path',
    holds: async (box) => {
      box.configure((config) => (root(config)['path'] = 'nowhere'));
      await box.refuses();
    },
  },
  {
    section: 'Root', says: 'the path is absolute, or relative to the bundle',
    holds: async (box) => {
      renameSync(join(box.bundle, 'rootfs'), join(box.bundle, 'other'));
      for (const path of ['other', join(box.bundle, 'other')]) {
        box.configure((config) => (root(config)['path'] = path));
        assert.equal(await box.says('echo well'), 'well');
      }
    },
  },
  {
    section: 'Root', says: 'with readonly nothing can be written there',
    holds: async (box) => {
      assert.match(await box.says('(echo x > /file) 2>&1 || echo refused'), /refused$/);
    },
  },
  {
    section: 'Root', says: 'without readonly it can be written',
    holds: async (box) => {
      box.configure((config) => (root(config)['readonly'] = false));
      assert.equal(await box.says('echo x > /file; cat /file'), 'x');
    },
  },
];

const bind = (source: string, destination: string, ...options: readonly string[]): object => ({
  destination, source, type: 'none', options: ['rbind', ...options],
});

/** Options by what mountinfo shows of them; nothing for those that cannot be seen. */
const shown: Readonly<Record<string, RegExp>> = {
  ro: /^\S+ \S+ \S+ \S+ \S+ ro/, nosuid: /nosuid/, nodev: /nodev/, noexec: /noexec/,
  noatime: /noatime/, nodiratime: /nodiratime/, relatime: /relatime/,
  sync: /\bsync\b/, dirsync: /dirsync/, lazytime: /lazytime/,
  shared: /shared:/, rshared: /shared:/, slave: /^\S+/, unbindable: /unbindable/,
  runbindable: /unbindable/, private: /^(?!.*shared)/, rprivate: /^(?!.*shared)/,
};
const options = [
  'async', 'atime', 'defaults', 'dev', 'diratime', 'dirsync', 'exec', 'iversion', 'lazytime',
  'loud', 'noatime', 'nodev', 'nodiratime', 'noexec', 'noiversion', 'nolazytime', 'norelatime',
  'nostrictatime', 'nosuid', 'private', 'relatime', 'ro', 'rprivate', 'rshared', 'rslave',
  'runbindable', 'rw', 'shared', 'silent', 'slave', 'strictatime', 'suid', 'sync', 'unbindable',
];

/** A tmpfs with each option, at /m/OPTION: the lines of mountinfo. */
async function mounted(box: Box, names: readonly string[]): Promise<ReadonlyMap<string, string>> {
  for (const name of names) mkdirSync(join(box.bundle, 'rootfs/m', name), { recursive: true });
  box.configure(({ mounts }) => {
    const all = names.map((name) => ({
      destination: `/m/${name}`, type: 'tmpfs', source: 'tmpfs', options: [name],
    }));
    mounts.push(...all);
  });
  const lines = (await box.says('grep " /m/" /proc/self/mountinfo')).split('\n');
  return new Map(lines.map((line) => [line.split(' ')[4]?.slice('/m/'.length) ?? '', line]));
}

const mounts: readonly Requirement[] = [
  {
    section: 'Mounts', says: 'entries are mounted in the listed order',
    holds: async (box) => {
      const [one, two] = ['one', 'two'].map((name) => join(box.folder, name));
      for (const path of [one, two]) mkdirSync(join(path ?? '', 'below'), { recursive: true });
      writeFileSync(join(two ?? '', 'seen'), 'two');
      mkdirSync(join(box.bundle, 'rootfs/m'));
      box.configure((config) =>
        config.mounts.push(bind(one ?? '', '/m'), bind(two ?? '', '/m/below')));
      assert.equal(await box.says('cat /m/below/seen; ls /m'), 'twobelow');
    },
  },
  {
    section: 'Mounts', says: 'a source that is relative is the bundle\'s',
    holds: async (box) => {
      writeFileSync(join(box.bundle, 'text'), 'of the bundle');
      box.configure((config) => config.mounts.push(bind('text', '/text')));
      assert.equal(await box.says('cat /text'), 'of the bundle');
    },
  },
  {
    section: 'Mounts', says: 'with bind or rbind it is a bind mount, whatever its type',
    holds: async (box) => {
      writeFileSync(join(box.folder, 'text'), 'bound');
      const mount = { destination: '/text', source: join(box.folder, 'text'), options: ['bind'] };
      box.configure((config) => config.mounts.push({ ...mount, type: 'tmpfs' }));
      assert.equal(await box.says('cat /text'), 'bound');
    },
  },
  ...options.map((name): Requirement => ({
    section: 'Linux mount options', says: `${name} is implemented`,
    holds: async (box) => {
      const line = (await mounted(box, [name])).get(name);
      assert.ok(line !== undefined, 'it is mounted');
      assert.match(line, shown[name] ?? /^/);
    },
  })),
  {
    section: 'Linux mount options', says: 'remount is implemented',
    holds: async (box) => {
      mkdirSync(join(box.bundle, 'rootfs/m'));
      const mount = { destination: '/m', type: 'tmpfs', source: 'tmpfs' };
      box.configure((config) => config.mounts.push(
        { ...mount, options: [] }, { ...mount, options: ['remount', 'ro'] }));
      assert.match(await box.says('grep " /m " /proc/self/mountinfo'), / ro[ ,]/);
    },
  },
];

const names: readonly Requirement[] = [
  {
    section: 'Hostname', says: 'it is the name in the container, and no other',
    holds: async (box) => {
      box.configure((config) => (config['hostname'] = 'mrsdalloway'));
      assert.equal(await box.says('busybox hostname'), 'mrsdalloway');
    },
  },
  {
    section: 'Domainname', says: 'it is the domain\'s name in the container (1.1)',
    holds: async (box) => {
      box.configure((config) => (config['domainname'] = 'foobarbaz.test'));
      assert.equal(await box.says('cat /proc/sys/kernel/domainname'), 'foobarbaz.test');
    },
  },
  {
    section: 'Annotations', says: 'an unknown key is no error, and a value may be empty',
    holds: async (box) => {
      box.configure((config) => (config['annotations'] = { 'com.example.unknown': '' }));
      assert.equal(await box.says('echo well'), 'well');
    },
  },
  {
    section: 'Annotations', says: 'a value that is no string is an error',
    holds: async (box) => {
      box.configure((config) => (config['annotations'] = { key: { deep: 1 } }));
      await box.refuses();
    },
  },
  {
    section: 'Annotations', says: 'a key that is empty is an error',
    holds: async (box) => {
      box.configure((config) => (config['annotations'] = { '': 'value' }));
      await box.refuses();
    },
  },
  {
    section: 'Extensibility', says: 'an unknown property is no error, wherever it is',
    holds: async (box) => {
      box.configure((config) => {
        for (const each of [config, config.process, config.linux, root(config)])
          each['unknownToAll'] = { a: [1] };
        (config.mounts[0] as Record<string, unknown>)['unknownToAll'] = true;
      });
      assert.equal(await box.says('echo well'), 'well');
    },
  },
  {
    section: 'Valid values', says: 'a value of the wrong kind is an error',
    holds: async (box) => {
      box.configure((config) => (config.process['args'] = 'sh'));
      await box.refuses();
    },
  },
];

holdRequirements('config.md', [...rootRequirements, ...mounts, ...names]);
