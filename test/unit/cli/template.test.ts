import { test } from 'tap';
import { compileTemplate } from '../../../cli/template/render.js';
import { withTypedNulls } from '../../../cli/template/typed-null.js';

const container = {
  Name: '/web',
  State: { Running: true, Pid: 42, Status: 'running' },
  Config: { Cmd: ['a', 'b'], Env: null, Labels: { b: '2', a: '1' } },
  NetworkSettings: {
    Ports: { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '8080' }], '81/tcp': null },
    Networks: { one: { IPAddress: '10.0.0.2' }, two: { IPAddress: '10.0.0.3' } },
  },
};

const render = (template: string): string =>
  compileTemplate(template).render(withTypedNulls(container));

test('templates give what Go gives', async (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ['{{.Name}} {{.State.Pid}}', '/web 42'],
    ['{{json .Config.Cmd}}', '["a","b"]'],
    ['{{join .Config.Cmd "|"}}', 'a|b'],
    ['{{.Config.Labels}} {{.Config.Cmd}} {{.Config.Env}}', 'map[a:1 b:2] [a b] []'],
    ['{{index .Config.Labels "a"}}{{index .Config.Cmd 1}}', '1b'],
    ['{{range .NetworkSettings.Networks}}{{.IPAddress}},{{end}}', '10.0.0.2,10.0.0.3,'],
    ['{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}', 'a=1;b=2;'],
    ['{{range $i, $v := .Config.Cmd}}{{$i}}{{$v}}{{end}}', '0a1b'],
    ['{{range .Config.Env}}x{{else}}none{{end}}', 'none'],
    ['{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}', '8080'],
    ['{{.NetworkSettings.Ports}}', 'map[80/tcp:[{0.0.0.0 8080}] 81/tcp:[]]'],
    ['{{if .State.Running}}up{{else}}down{{end}}', 'up'],
    ['{{if eq .State.Status "x"}}1{{else if ne .State.Pid 41}}2{{else}}3{{end}}', '2'],
    ['{{if and .State.Running (gt .State.Pid 1)}}y{{end}}', 'y'],
    ['{{.State.Status | upper | printf "%s-%d" "a"}}', 'a-RUNNING'],
    ['{{title .State.Status}} {{len .Name}} {{lower "AB"}}', 'Running 4 ab'],
    ['a {{- /* no */ -}} b{{println "x" 1}}', 'abx 1\n'],
    ['{{$x := .Name}}{{with .State}}{{$x}}{{.Pid}}{{end}}', '/web42'],
    ['{{slice .Name 1}}{{"\\t"}}|{{`\\t`}}', 'web\t|\\t'],
    [
      '{{json .Config.Env}} {{.State.Health}} {{json .State}}',
      'null <nil> {"Running":true,"Pid":42,"Status":"running"}',
    ],
  ];
  for (const [template, expected] of cases) t.equal(render(template), expected, template);
});

test('what Docker has as structs is printed without names, with zeros for what is left out', async (t) => {
  const inspected = withTypedNulls({
    State: { Status: 'running', Running: true, Pid: 7, ExitCode: 0, Error: '', StartedAt: 'a' },
    Config: {
      AttachStdin: false,
      Hostname: 'h',
      ExposedPorts: { '80/tcp': {} },
      Env: ['A=1'],
      Healthcheck: { Test: ['NONE'], Interval: 90e9, Timeout: 15e8 },
      Labels: { State: 'x' },
    },
    HostConfig: {
      RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
      LogConfig: { Type: 'json-file', Config: {} },
      Memory: 5,
    },
    Mounts: [{ Type: 'bind', Source: '/a', Destination: '/b', Mode: '', RW: true }],
    NetworkSettings: { Networks: { State: { IPAddress: '10.0.0.2', IPPrefixLen: 8 } } },
    IPAM: { Driver: 'default', Options: null, Config: [{ Subnet: '10.0.0.0/8' }] },
  });
  const cases: readonly (readonly [string, string])[] = [
    ['{{.State}}', '{running true false false false false 7 0  a  <nil>}'],
    ['{{.Config.ExposedPorts}} {{.Config.Labels}}', 'map[80/tcp:{}] map[State:x]'],
    ['{{.Config.Healthcheck}}', '{[NONE] 1m30s 1.5s 0s 0s 0}'],
    [
      '{{.Config}}',
      '{h   false false false map[80/tcp:{}] false false false [A=1] [] ' +
        '{[NONE] 1m30s 1.5s 0s 0s 0} false  map[]  [] false  [] map[State:x]  <nil> []}',
    ],
    ['{{.HostConfig.RestartPolicy}} {{.HostConfig.LogConfig}}', '{no 0} {json-file map[]}'],
    ['{{.Mounts}}', '[{bind  /a /b   true }]'],
    ['{{.NetworkSettings.Networks}}', 'map[State:{<nil> [] []  map[] 0    10.0.0.2 8   0 []}]'],
    ['{{.NetworkSettings}}', '{{   map[] false  0 [] []} {   0  0  } ' +
      'map[State:{<nil> [] []  map[] 0    10.0.0.2 8   0 []}]}'],
    ['{{.IPAM}}', '{default map[] [{10.0.0.0/8   map[]}]}'],
    ['{{json .HostConfig.RestartPolicy}}', '{"Name":"no","MaximumRetryCount":0}'],
  ];
  for (const [template, expected] of cases) {
    t.equal(compileTemplate(template).render(inspected), expected, template);
  }
});

test('the configuration of an image is another struct than that of a container', async (t) => {
  const image = withTypedNulls({
    Config: { AttachStdin: false, Cmd: ['sh'], Env: null },
    RootFS: { Type: 'layers', Layers: ['sha256:1'] },
  });
  t.equal(
    compileTemplate('{{.Config}} {{.RootFS}}').render(image),
    '{{ map[] [] [] [sh] map[]  map[]  false} {<nil> [] []}} {layers [sha256:1]}',
  );
});

test('a field that is not there is an error that names it', async (t) => {
  t.throws(() => render('{{.State.Foo}}'), {
    message: 'template: :1:8: executing "" at <.State.Foo>: map has no entry for key "Foo"',
  });
});

test('errors name the piece and its place as Go does', async (t) => {
  const executing = (place: string, piece: string, why: string): string =>
    `template: :${place}: executing "" at <${piece}>: ${why}`;
  const cases: readonly (readonly [string, string, string, string])[] = [
    ['{{.Nope}}', '1:2', '.Nope', 'map has no entry for key "Nope"'],
    ['xx {{.Nope.A.B}}', '1:10', '.Nope.A.B', 'map has no entry for key "Nope"'],
    ['a\nb {{- .Nope}}', '2:6', '.Nope', 'map has no entry for key "Nope"'],
    ['{{.State.Pid.X}}', '1:8', '.State.Pid.X', "can't evaluate field X in type interface {}"],
    ['{{$x := .State}}{{$x.Foo}}', '1:20', '$x.Foo', 'map has no entry for key "Foo"'],
    ['{{(len .Name).X}}', '1:13', '(len .Name).X', "can't evaluate field X in type interface {}"],
    ['{{len 3}}', '1:2', 'len 3', 'error calling len: len of type int'],
    ['{{if .Name}}{{json}}{{end}}', '1:14', 'json', 'wrong number of args for json: want 1 got 0'],
  ];
  for (const [template, place, piece, why] of cases) {
    t.throws(() => render(template), { message: executing(place, piece, why) }, template);
  }
});

test('a map has a zero for a key that is not in it', async (t) => {
  t.equal(render('{{.Config.Labels.nope}}'), '<no value>');
  t.equal(render('[{{index .Config.Labels "nope"}}]'), '[]');
  t.equal(render('{{json (index .Config.Labels "nope")}}'), '""');
  t.equal(render('{{index .NetworkSettings.Ports "9/tcp"}}'), '[]');
  t.equal(render('{{with index .NetworkSettings.Networks "x"}}{{.IPAddress}}{{else}}none{{end}}'),
    'none');
});

test('networks, volumes and the parts of info are structs', async (t) => {
  const whole = (value: unknown, template = '{{.}}'): string =>
    compileTemplate(template).render(withTypedNulls(value));
  const network = {
    Name: 'n', Id: 'i', Created: '2026-11-29T03:37:02.410Z', Scope: 'local', Driver: 'bridge',
    EnableIPv4: true, IPAM: { Driver: 'default', Options: null, Config: [] }, ConfigFrom: {},
    Containers: {}, Options: { a: 'b' }, Labels: {},
  };
  t.equal(whole(network), '{n i 2026-11-29 03:37:02.41 +0000 UTC local bridge true false ' +
    '{default map[] []} false false false {} false map[] map[a:b] map[] [] map[]}');
  const volume = { CreatedAt: 'c', Driver: 'local', Mountpoint: '/m', Name: 'v', Scope: 'local' };
  t.equal(whole(volume), '{<nil> c local map[] /m v map[] local map[] <nil>}');
  const plugins = { Log: ['x'], Authorization: null };
  const info = { Swarm: { LocalNodeState: 'inactive' }, Plugins: plugins };
  t.equal(whole(info, '{{.Swarm}}{{.Plugins}}'),
    '{  inactive false  [] 0 0 <nil> []}{[] [] [] [x]}');
});

test('what every object inherits is no field', async (t) => {
  t.throws(() => render('{{.constructor}}'), { message: /no entry for key "constructor"/ });
  t.throws(() => render('{{.State.__proto__}}'), { message: /no entry for key/ });
});

test('templates that cannot be read are refused before anything is asked', async (t) => {
  t.throws(() => compileTemplate('{{.A'), { message: 'template: :1: unclosed action' });
  t.throws(
    () => compileTemplate('{{foo .A}}'),
    { message: 'template: :1: function "foo" not defined' },
  );
  t.throws(() => compileTemplate('{{if .A}}x'), { message: 'template: :1: unexpected EOF' });
  t.throws(() => compileTemplate('{{end}}'), { message: 'template: :1: unexpected {{end}}' });
  t.throws(() => compileTemplate('{{"x}}'), {
    message: 'template: :1: unterminated quoted string',
  });
});
