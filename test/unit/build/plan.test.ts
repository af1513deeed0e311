import { test } from 'tap';
import { BuildArgs, unusedArgs } from '../../../daemon/build/build-args.js';
import { parseDockerfile } from '../../../daemon/build/dockerfile/parse.js';
import { planBuild } from '../../../daemon/build/plan.js';

function plan(text: string, more: object = {}) {
  const dockerfile = parseDockerfile(text);
  const request = { given: {}, labels: {}, target: '', predefined: new Map<string, string>() };
  return planBuild({ dockerfile, ...request, ...more });
}

const three = 'FROM a AS one\nRUN 1\nFROM b AS two\nRUN 2\nFROM c\nCOPY --from=one /x /\n';

test('stages that nothing reads are left out, and counted', async (t) => {
  const { stages, total, numbers, vertices } = plan(three);
  t.same(stages.map(({ index }) => index), [0, 2]);
  t.equal(total, 6);
  t.same(vertices.map(({ digest }) => numbers.get(digest)), [1, 2, 5, 6]);
});

test('a target ends the build, by name in any case or by number', async (t) => {
  t.same(plan(three, { target: 'TWO' }).stages.map(({ index }) => index), [1]);
  t.same(plan(three, { target: '0' }).stages.map(({ index }) => index), [0]);
  t.equal(plan(three, { target: 'two' }).total, 4);
  t.throws(() => plan(three, { target: 'no' }), {
    message: 'target stage "no" could not be found',
  });
});

test('a stage begins with another of that name, else with an image', async (t) => {
  const { stages } = plan('FROM a AS one\nFROM one\nRUN x\n');
  t.same(stages.map(({ base }) => base), [{ image: 'a', written: 'a' }, { stage: 0 }]);
});

test('an argument of a stage that is left out was used all the same', async (t) => {
  const { used } = plan('FROM a\nARG X=1 Y\nFROM b\nARG Z\nRUN x\n');
  t.same(unusedArgs({ W: '', X: '', Y: '' }, used), ['W']);
});

test('labels of the client are steps at the end', async (t) => {
  const { stages, total } = plan('FROM a\nRUN x\n', { labels: { b: '2', a: '$1' } });
  t.equal(total, 4);
  t.same(stages[0]?.steps.map(({ vertex }) => vertex.name), ['RUN x', 'LABEL a=$1', 'LABEL b=2']);
});

test('global arguments reach FROM, and a stage only where it declares them', async (t) => {
  const planned = plan('ARG B=base\nARG C=${B}x\nFROM ${C}\n', { given: { B: 'mine' } });
  t.same(planned.stages[0]?.base, { image: 'minex', written: '${C}' });
  t.same(plan('FROM ${U}\n').stages[0]?.base, { image: '', written: '${U}' });
  const args = new BuildArgs({ B: 'mine', P: null, X: '1' }, planned.globals, planned.used);
  t.equal(args.variables([])('B'), undefined);
  args.declare('B', undefined);
  args.declare('P', 'default');
  args.declare('N', undefined);
  t.equal(args.variables([])('B'), 'mine');
  t.equal(args.variables(['B=env'])('B'), 'env', 'the environment goes first');
  t.same(args.forRun(['B=env']).declared, ['P=default']);
  t.same(unusedArgs({ B: '', X: '1', HTTP_PROXY: 'p' }, planned.used), ['X']);
});

test('proxies reach RUN without a declaration, and are no part of its history', async (t) => {
  const args = new BuildArgs({ http_proxy: 'p', X: '1' }, new Map(), new Set());
  t.same(args.forRun([]), { declared: [], proxies: ['http_proxy=p'] });
  args.declare('http_proxy', undefined);
  t.same(args.forRun([]), { declared: ['http_proxy=p'], proxies: [] });
});
