import type { Checks } from '../../support/cli-table.js';
import { cliChecks, fails } from '../../support/cli-table.js';
import { tarOf } from '../../support/tar.js';

const sleeper = 'run -d --name @a IMG sleep 600';
const id = /^sha256:[0-9a-f]{64}$/;
const tar = tarOf([{ name: 'from-tar', mode: 0o640, content: 'in\n' }]);

const copies: Checks = {
  'cp from a running, a stopped and a created one': [
    [sleeper],
    ['cp @a:/etc/passwd -', /^passwd\0[^]*root:x:0:0/],
    ['kill @a'],
    ['wait @a'],
    ['cp @a:/etc/passwd -', /^passwd\0[^]*root:x:0:0/],
    ['create --name @b IMG'],
    ['cp @b:/etc/passwd -', /^passwd\0[^]*root:x:0:0/],
  ],
  'cp into a running, a stopped and a created one': [
    [sleeper],
    ['cp - @a:/tmp', '', tar],
    [`exec @a sh -c 'cat /tmp/from-tar; stat -c %a /tmp/from-tar'`, 'in\n640'],
    ['create --name @b IMG cat /tmp/from-tar'],
    ['cp - @b:/tmp', '', tar],
    ['start -a @b', 'in'],
    ['cp - @b:/etc', '', tar],
    ['cp @b:/etc/from-tar -', /^from-tar\0[^]*in\n/],
  ],
  'cp of a folder takes its contents': [
    [sleeper],
    ['cp @a:/www -', /^www\/\0[^]*www\/index\.html\0/],
    ['cp @a:/www/. -', /^\.\/\0[^]*index\.html\0/],
  ],
  'cp from host to container and back': [
    [sleeper],
    ['cp @a:/etc/passwd /tmp/@copy', ''],
    ['cp /tmp/@copy @a:/root/back', ''],
    ['exec @a head -n 1 /root/back', 'root:x:0:0:root:/root:/bin/sh'],
    ['run --rm -v /tmp:/t IMG rm /t/@copy'],
  ],
  'cp reaches volumes': [
    ['create --name @a -v @v:/data IMG'],
    ['cp - @a:/data', '', tar],
    ['run --rm -v @v:/x IMG cat /x/from-tar', 'in'],
    ['cp @a:/data/from-tar -', /^from-tar\0/],
  ],
  'cp -L follows a link, cp keeps it': [
    ['run --name @a IMG ln -s /etc/passwd /link'],
    ['cp -L @a:/link -', /root:x:0:0/],
    ['cp @a:/link -', /^link\0(?![^]*root:x)/],
  ],
  'cp refuses what does not exist': [
    [sleeper],
    ['cp @a:/no/such -', fails(1, /Could not find the file \/no\/such in container @a/)],
    ['cp - @a:/no/such', fails(1, /destination "@a:\/no\/such" must be a directory/), tar],
    ['cp @b:/x -', fails(1, /No such container: @b/)],
  ],
  'cp refuses a target that is no folder, and a read-only root': [
    ['run -d --name @a --read-only IMG sleep 600'],
    ['cp - @a:/tmp', fails(1, /container rootfs is marked read-only/), tar],
    ['cp - @a:/etc/passwd', fails(1, /destination "@a:\/etc\/passwd" must be a directory/), tar],
  ],
};

const diffs: Checks = {
  'diff tells what was added, changed and deleted': [
    [`run --name @a IMG sh -c 'echo x > /new; echo x >> /etc/passwd; rm /www/index.html'`],
    [
      'diff @a',
      /^(?=[^]*^A \/new$)(?=[^]*^C \/etc$)(?=[^]*^C \/etc\/passwd$)[^]*^D \/www\/index.html$/m,
    ],
  ],
  'diff of one that never ran is empty': [['create --name @a IMG'], ['diff @a', '']],
  'diff of a missing one fails': [['diff @a', fails(1, /No such container: @a/)]],
  'export is a tar of the root': [
    [`run --name @a IMG sh -c 'echo exported > /new'`],
    ['export -o /tmp/@export.tar @a', ''],
    ['import /tmp/@export.tar @i:1', id],
    ['run --rm @i:1 cat /new', 'exported'],
    ['run --rm -v /tmp:/t IMG rm /t/@export.tar'],
  ],
  'export of a missing one fails': [
    ['export -o /tmp/@export.tar @a', fails(1, /No such container: @a/)],
  ],
  'commit makes an image of a container': [
    [`run --name @a IMG sh -c 'echo kept > /new'`],
    ['commit -m why -a me @a @i:1', id],
    ['run --rm @i:1 cat /new', 'kept'],
    [`image inspect -f '{{.Comment}} {{.Author}} {{len .RootFS.Layers}}' @i:1`, 'why me 2'],
    ['history -q @i:1', /^[0-9a-f]{12}\n(<missing>|[0-9a-f]{12})$/],
  ],
  'commit --change alters the config': [
    ['create --name @a -e A=1 IMG'],
    [`commit -c 'CMD ["echo", "changed"]' -c 'ENV B=2' -c 'WORKDIR /w' -c 'LABEL l=1' @a @i:1`, id],
    ['run --rm @i:1', 'changed'],
    [
      `image inspect -f '{{with .Config}}{{json .Env}} {{.WorkingDir}} {{.Labels}}{{end}}' @i:1`,
      /"A=1","B=2"\] \/w map\[l:1\]$/,
    ],
  ],
  'commit of a running one pauses it': [
    [sleeper],
    ['commit @a @i:1', id],
    [`inspect -f '{{.State.Status}}' @a`, 'running'],
    ['commit --pause=false @a @i:2', id],
  ],
  'commit without a name makes one that has none': [
    ['create --name @a -l @l=1 IMG'],
    ['commit @a', id],
    ['image prune -f --filter label=@l', /^Deleted Images:\ndeleted: sha256:/],
  ],
  'commit of a missing one fails': [['commit @a @i:1', fails(1, /No such container: @a/)]],
};

cliChecks({ ...copies, ...diffs });
