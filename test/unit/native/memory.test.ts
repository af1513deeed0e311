import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { programText, releaseFreeMemory, releaseProgramText } from '../../../native/memory.js';

const smaps = `00400000-00b6f000 r--p 00000000 fe:00 260689      /usr/bin/node
Rss:                7164 kB
Anonymous:             0 kB
00b72000-025fe000 r-xp 00772000 fe:00 260689      /usr/bin/node
Rss:               21944 kB
Anonymous:             0 kB
025fe000-02601000 rw-p 021fe000 fe:00 260689      /usr/bin/node
Rss:                  12 kB
Anonymous:             0 kB
7f0000000000-7f0000001000 r-xp 00000000 fe:00 77  /usr/lib/patched.so
Rss:                   4 kB
Anonymous:             4 kB
7f0000002000-7f0000003000 r-xp 00000000 00:00 0   [vdso]
Rss:                   4 kB
Anonymous:             0 kB
7f0000004000-7f0000005000 rwxp 00000000 00:00 0
Rss:                   4 kB
Anonymous:             0 kB
`;

test('only code and constants of files that nobody wrote to are let go', async (t) => {
  t.same(programText(smaps), [
    { start: 0x00400000, size: 0x00b6f000 - 0x00400000 },
    { start: 0x00b72000, size: 0x025fe000 - 0x00b72000 },
  ]);
});

test('the program runs on without it, and holds less', async (t) => {
  const fileKb = (): number =>
    Number(/^RssFile:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
  const before = fileKb();
  releaseFreeMemory();
  releaseProgramText();
  const after = fileKb();
  t.ok(after < before - 4096, `${before} kB, then ${after} kB`);
  t.ok(programText(readFileSync('/proc/self/smaps', 'utf8')).length > 0);
});
