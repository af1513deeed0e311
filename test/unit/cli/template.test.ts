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

test('a field that is not there is an error that names it', async (t) => {
  t.throws(() => render('{{.State.Foo}}'), {
    message: 'template: :1:2: executing "" at <.State.Foo>: map has no entry for key "Foo"',
  });
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
  t.throws(() => compileTemplate('{{end}}'), { message: /unexpected "{{end}}"/ });
});
