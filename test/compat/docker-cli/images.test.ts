import { cliChecks, fails, joined } from '../../support/cli-table.js';
import { tarOf } from '../../support/tar.js';

const tar = tarOf([{ name: 'file', mode: 0o644, content: 'content' }]);
const id = /^sha256:[0-9a-f]{64}$/;
const noSuch = /No such image: @i:1/;

cliChecks({
  'images lists by name': [
    ['tag IMG @i:1'],
    [
      'images @i',
      /^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE\n@i +1 +[0-9a-f]{12} +.* ago +[\d.]+MB$/,
    ],
    ['images -q @i', /^[0-9a-f]{12}$/],
    ['images -q --no-trunc @i:1', id],
    ['images -q @i:2', ''],
  ],
  'images formats': [
    ['tag IMG @i:1'],
    [`images --format '{{.Repository}} {{.Tag}} {{.Digest}}' @i`, '@i 1 <none>'],
    ['images --digests @i', /DIGEST[^]*<none>/],
    ['images --format json @i', /"Repository":"@i".*"Tag":"1"/],
  ],
  'images filters by reference, before, since, label and dangling': [
    ['tag IMG @i:1'],
    ['images --filter reference=@i:* --format {{.Tag}}', '1'],
    ['images --filter reference=@i --filter dangling=true -q', ''],
    ['images --filter reference=@i --filter before=IMG -q', ''],
    ['images --filter reference=@i --filter label=none -q', ''],
    ['images --filter no-such=1', fails(1, /invalid filter 'no-such'/)],
  ],
  'tag gives a name more': [
    ['tag IMG @i:1', ''],
    ['tag @i:1 @j', ''],
    ['images -q @j:latest', /^[0-9a-f]{12}$/],
  ],
  'tag refuses a bad name, and a missing image': [
    ['tag IMG UPPER:1', fails(1, /must be lowercase/)],
    ['tag @i:1 @j:1', fails(1, noSuch)],
  ],
  'rmi of a name more untags': [
    ['tag IMG @i:1'],
    ['rmi @i:1', 'Untagged: @i:1'],
    ['rmi @i:1', fails(1, noSuch)],
  ],
  'rmi of the last name deletes': [
    ['import - @i:1', id, tar],
    ['rmi @i:1', /^Untagged: @i:1\nDeleted: sha256:[0-9a-f]{64}\nDeleted: sha256:[0-9a-f]{64}$/],
    ['image inspect @i:1', fails(1, noSuch)],
  ],
  'rmi refuses what a container uses, -f untags it': [
    ['import - @i:1', id, tar],
    ['create --name @a @i:1 x'],
    [
      'rmi @i:1',
      fails(
        1,
        joined(
          /conflict: unable to remove repository reference "@i:1" \(must force\) - container /,
          /[0-9a-f]{12} is using its referenced image [0-9a-f]{12}/,
        ),
      ),
    ],
    ['rmi -f @i:1', /^Untagged: @i:1/],
    ['ps -a --filter name=@a --format {{.Image}}', /^[0-9a-f]{12}$/],
  ],
  'rmi of a missing one with -f is told of': [
    ['rmi -f @i:1', { code: 0, err: noSuch }],
  ],
  'import takes --change and --message': [
    [
      `import --message why --change 'ENV A=1' --change 'CMD ["x"]' --change 'EXPOSE 80' ` +
        `--change 'WORKDIR /w' - @i:1`,
      id,
      tar,
    ],
    [
      `image inspect -f '{{with .Config}}{{.Env}} {{.Cmd}} {{.ExposedPorts}} ` +
        `{{.WorkingDir}}{{end}} {{.Comment}}' @i:1`,
      '[A=1] [x] map[80/tcp:{}] /w why',
    ],
  ],
  'import takes every kind of --change': [
    [
      `import --change 'USER 7:8' --change 'ENTRYPOINT ["/e"]' --change 'VOLUME /v' --change ` +
        `'LABEL l=1' --change 'STOPSIGNAL SIGINT' - @i:1`,
      id,
      tar,
    ],
    [
      `image inspect -f '{{with .Config}}{{.User}} {{.Entrypoint}} {{.Volumes}} {{.Labels}} ` +
        `{{.StopSignal}}{{end}}' @i:1`,
      '7:8 [/e] map[/v:{}] map[l:1] SIGINT',
    ],
  ],
  'import refuses a change that is none': [
    [`import --change 'FROM x' - @i:1`, fails(1, /FROM is not a valid change command/), tar],
  ],
  'history shows where it comes from': [
    ['import --message why - @i:1', id, tar],
    [
      'history @i:1',
      /^IMAGE +CREATED +CREATED BY +SIZE +COMMENT\n[0-9a-f]{12} +.* ago +[\d.]+k?B +why$/,
    ],
    ['history -q --no-trunc @i:1', id],
    [`history --format '{{.Comment}}' @i:1`, 'why'],
    ['history @j:1', fails(1, /No such image: @j:1/)],
  ],
  'image inspect shows layers and platform': [
    [
      'image inspect -f \'{{.Os}}/{{.Architecture}} {{.RootFS.Type}} {{len .RootFS.Layers}}\' IMG',
      /^linux\/(amd64|arm64) layers 1$/,
    ],
    [`image inspect -f '{{.RepoTags}} {{json .RepoDigests}}' IMG`, '[IMG] []'],
    [`image inspect -f '{{.Size}}' IMG`, /^\d{6,}$/],
  ],
  'an image is known by its id and the beginning of it': [
    ['inspect --type image -f {{.Id}} IMG', id],
    ['run --rm IMG true', ''],
  ],
  'image prune takes dangling ones only': [
    [`import --change 'LABEL @l=1' - @i:1`, id, tar],
    ['image prune -f --filter label=@l', /^Total reclaimed space: 0B$/],
    [
      'image prune -af --filter label=@l',
      /^Deleted Images:\nuntagged: @i:1\ndeleted: sha256:[^]*\n\nTotal reclaimed space: /,
    ],
  ],
  'pull refuses a bad name, and what no registry has': [
    ['pull Bad:Name', fails(1, /invalid reference format/)],
    ['pull 127.0.0.1:1/none', fails(1, /127\.0\.0\.1:1.*connection refused/)],
  ],
  'save and load': [
    ['tag IMG @i:1'],
    ['save -o /tmp/@save.tar @i:1', ''],
    ['rmi @i:1'],
    ['load -q -i /tmp/@save.tar', 'Loaded image: @i:1'],
    ['run --rm @i:1 echo loaded', 'loaded'],
    ['run --rm -v /tmp:/t IMG rm /t/@save.tar'],
  ],
  'save keeps several names': [
    ['tag IMG @i:1'],
    ['tag IMG @j:2'],
    ['save -o /tmp/@save.tar @i:1 @j:2', ''],
    ['rmi @i:1 @j:2'],
    ['load -i /tmp/@save.tar', /^Loaded image: @i:1\nLoaded image: @j:2$/],
    ['run --rm -v /tmp:/t IMG rm /t/@save.tar'],
  ],
  'save of a name without a tag takes all tags': [
    ['tag IMG @i:1'],
    ['tag IMG @i:2'],
    ['save -o /tmp/@save.tar @i', ''],
    ['rmi @i:1 @i:2'],
    ['load -q -i /tmp/@save.tar', /^Loaded image: @i:1\nLoaded image: @i:2$/],
    ['run --rm -v /tmp:/t IMG rm /t/@save.tar'],
  ],
  'save refuses what does not exist': [
    ['save -o /tmp/@save.tar @i:1', fails(1, /reference does not exist|No such image: @i:1/)],
  ],
  'load refuses what is no archive': [['load', fails(1), 'no tar at all'.repeat(100)]],
  'import takes a health check': [
    [`import --change 'HEALTHCHECK --interval=5s CMD true' - @i:1`, id, tar],
    [
      `image inspect -f '{{json .Config.Healthcheck}}' @i:1`,
      '{"Test":["CMD-SHELL","true"],"Interval":5000000000}',
    ],
  ],
});
