import { cliChecks, fails } from '../../support/cli-table.js';

cliChecks({
  'volume create prints the name': [
    ['volume create @v', '@v'],
    ['volume create @v', '@v'],
    ['volume ls -q --filter name=@v', '@v'],
  ],
  'volume create makes up a name': [
    ['volume create --label @l', /^[0-9a-f]{64}$/],
    [
      'volume prune -f --filter label=@l',
      /^Deleted Volumes:\n[0-9a-f]{64}\n\nTotal reclaimed space: 0B$/,
    ],
  ],
  'volume create refuses a bad name and an unknown driver': [
    [
      'volume create a/b',
      fails(1, /"a\/b" includes invalid characters for a local volume name, only/),
    ],
    ['volume create -d no-such @v', fails(1, /plugin "no-such" not found/)],
  ],
  'volume create refuses an unknown option': [
    ['volume create -o no-such=1 @v', fails(1, /invalid option: "no-such"|invalid option key/)],
  ],
  'volume inspect shows it': [
    ['volume create --label a=b @v'],
    [
      `volume inspect -f '{{.Name}} {{.Driver}} {{.Scope}} {{.Labels}} {{json .Options}}' @v`,
      '@v local local map[a:b] null',
    ],
    [`volume inspect -f '{{.Mountpoint}}' @v`, /\/volumes\/@v\/_data$/],
    [`volume inspect -f '{{.CreatedAt}}' @v`, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)$/],
    ['volume inspect @w', fails(1, /get @w: no such volume/, '[]')],
  ],
  'volume ls prints a table and formats': [
    ['volume create --label a=b @v'],
    ['volume ls --filter name=@v', /^DRIVER +VOLUME NAME\nlocal +@v$/],
    [`volume ls --filter name=@v --format '{{.Name}} {{.Driver}} {{.Label "a"}}'`, '@v local b'],
    ['volume ls --filter name=@v --format json', /"Name":"@v"/],
  ],
  'volume ls filters by label, driver and dangling': [
    ['volume create --label a=b @v'],
    ['volume create @w'],
    ['create --name @a -v @w:/x IMG'],
    ['volume ls -q --filter name=@ --filter label=a=b', '@v'],
    ['volume ls -q --filter name=@ --filter dangling=true', '@v'],
    ['volume ls -q --filter name=@ --filter dangling=false', '@w'],
    ['volume ls -q --filter name=@ --filter driver=no-such', ''],
    ['volume ls --filter no-such=1', fails(1, /invalid filter 'no-such'/)],
  ],
  'volume rm prints the name, and refuses one in use': [
    ['create --name @a -v @v:/x IMG'],
    ['volume rm @v', fails(1, /remove @v: volume is in use - \[[0-9a-f]{64}\]/)],
    ['rm @a'],
    ['volume rm @v', '@v'],
    ['volume rm @v', fails(1, /get @v: no such volume/)],
  ],
  'volume rm -f of a missing one is no error': [['volume rm -f @v', '@v']],
  'volume prune takes anonymous ones only, -a all': [
    ['volume create --label @l @v'],
    ['volume prune -f --filter label=@l', 'Total reclaimed space: 0B'],
    ['volume prune -af --filter label=@l', 'Deleted Volumes:\n@v\n\nTotal reclaimed space: 0B'],
  ],
  'a volume outlives its containers': [
    [`run --rm -v @v:/data IMG sh -c 'echo kept > /data/f'`],
    ['run --rm -v @v:/data:ro IMG cat /data/f', 'kept'],
  ],
  'two containers share a volume': [
    ['run -d --name @a -v @v:/x IMG sleep 600'],
    ['run --rm -v @v:/y IMG touch /y/f'],
    ['exec @a ls /x', 'f'],
  ],
  'a read-only volume refuses to be written': [
    ['run --rm -v @v:/x:ro IMG touch /x/f', fails(1, /Read-only file system/)],
  ],
  'nocopy leaves a new volume empty': [['run --rm -v @v:/www:nocopy IMG ls /www', '']],
  '--mount type=volume makes it with labels': [
    ['run --rm --mount type=volume,src=@v,dst=/x,volume-label=a=b IMG true'],
    [`volume inspect -f '{{.Labels}}' @v`, 'map[a:b]'],
  ],
  'a volume of a tmpfs has its size': [
    ['volume create -o type=tmpfs -o device=tmpfs -o o=size=64k @v'],
    ['run --rm -v @v:/x IMG df -k /x', / 64 /],
    [
      `volume inspect -f '{{json .Options}}' @v`,
      '{"device":"tmpfs","o":"size=64k","type":"tmpfs"}',
    ],
  ],
  'a volume keeps the owner of what the image has': [
    [`run --rm -u 1000 -v @v:/tmp IMG sh -c 'touch /tmp/f && stat -c %u /tmp/f'`, '1000'],
  ],
  '--mount type=volume,volume-subpath mounts a part': [
    [`run --rm -v @v:/x IMG sh -c 'mkdir /x/sub; echo in > /x/sub/f'`],
    ['run --rm --mount type=volume,src=@v,dst=/y,volume-subpath=sub IMG cat /y/f', 'in'],
  ],
});
